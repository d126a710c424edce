/// Converts names of contracts to Swift names.
enum Names {
  /// `postal_code` or `POSTAL_CODE` → `PostalCode`; `postalCode` → `PostalCode`.
  static func upperCamel(_ name: String) -> String {
    words(name).map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// `postal_code` → `postalCode`; `request_id` → `requestID`, `id_card` → `idCard`.
  static func lowerCamel(_ name: String) -> String {
    let words = words(name)
    guard let first = words.first else { return "" }
    return first.prefix(1).lowercased() + first.dropFirst()
      + words.dropFirst().map { initialisms[$0] ?? $0.prefix(1).uppercased() + $0.dropFirst() }
      .joined()
  }

  /// Words that Swift's API Design Guidelines write in capitals.
  private static let initialisms = [
    "api": "API", "http": "HTTP", "https": "HTTPS", "id": "ID", "ids": "IDs", "json": "JSON",
    "sha256": "SHA256", "uri": "URI", "url": "URL",
  ]

  /// Splits a name at its underscores; a word in capitals becomes lower case.
  private static func words(_ name: String) -> [String] {
    name.split(separator: "_").map { word in
      word.contains(where: \.isLowercase) ? String(word) : word.lowercased()
    }
  }

  /// Returns the name of a property, method or enum case.
  static func member(_ name: String) -> String {
    let camel = lowerCamel(name)
    if taken.contains(camel) { return camel + "_" }
    return keywords.contains(camel) ? "`\(camel)`" : camel
  }

  /// Returns the name of an RPC's method: `GetMember` → `getMember`.
  static func method(_ name: String) -> String {
    let lowered = name.prefix(1).lowercased() + name.dropFirst()
    return keywords.contains(lowered) ? "`\(lowered)`" : lowered
  }

  /// Returns the name of a type. `Type` and its like have a meaning of their own in Swift
  /// everywhere.
  static func type(_ name: String, kind: String) -> String {
    let upper = name.prefix(1).uppercased() + name.dropFirst()
    return ["Any", "Protocol", "Self", "Type"].contains(upper) ? upper + kind : upper
  }

  /// Returns the case of an enum's value, without the enum's name: `GROUP_READER` of `Group` →
  /// `reader`.
  static func enumCase(_ value: String, of enumeration: String) -> String {
    let prefix = screamingSnake(enumeration) + "_"
    guard value.hasPrefix(prefix) else { return member(value) }
    let rest = value.dropFirst(prefix.count)
    guard let first = rest.first, !first.isNumber else { return member(value) }
    return member(String(rest))
  }

  /// `OccupationGroup` → `OCCUPATION_GROUP`; `HTTPRule` → `HTTP_RULE`.
  private static func screamingSnake(_ name: String) -> String {
    let letters = Array(name)
    var result = ""
    for (index, letter) in letters.enumerated() {
      if letter.isUppercase, index > 0 {
        let followsLower = !letters[index - 1].isUppercase && letters[index - 1] != "_"
        let startsWord = index + 1 < letters.count && letters[index + 1].isLowercase
        if followsLower || startsWord && letters[index - 1] != "_" { result.append("_") }
      }
      result.append(contentsOf: letter.uppercased())
    }
    return result
  }

  /// The members of every message or enum, and names that backticks do not allow.
  private static let taken: Set = [
    "allCases", "description", "encoded", "fullName", "hashValue", "init", "protoName", "rawValue",
    "self", "unknownFields", "unrecognized", "wireBytes",
  ]

  private static let keywords: Set = [
    "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer",
    "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for",
    "func", "guard", "if", "import", "in", "inout", "internal", "is", "let", "nil", "operator",
    "package", "precedencegroup", "private", "protocol", "public", "repeat", "rethrows", "return",
    "static", "struct", "subscript", "super", "switch", "throw", "throws", "true", "try",
    "typealias", "var", "where", "while",
  ]
}
