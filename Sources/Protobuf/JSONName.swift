/// The names of fields in JSON.
public enum JSONName {
  /// Returns the `json_name` that protoc sets for a field: without underscores, and with the
  /// letter behind each in upper case. The other characters of a path of fields remain.
  ///
  /// Source: protobuf, `ToJsonName` in descriptor.cc.
  public static func of(_ name: String) -> String {
    var result = ""
    var isUpper = false
    for character in name {
      if character == "_" {
        isUpper = true
      } else {
        result += isUpper ? character.uppercased() : String(character)
        isUpper = false
      }
    }
    return result
  }
}
