/// The list of an `IN`, padded to a power of two by repeating the last value, which limits the
/// number of distinct texts to prepare.
public struct InList: Sendable {
  /// The parenthesized parameters; `(NULL)`, which nothing equals, without values.
  public let sql: String
  /// The arguments of the parameters.
  public let arguments: [any SQLValueConvertible]

  /// - Parameter first: The number of the first parameter.
  public init<Value: SQLValueConvertible>(_ values: [Value], first: Int = 1) {
    let padded = Self.padded(values)
    arguments = padded
    let places = padded.indices.map { "?\(first + $0)" }.joined(separator: ", ")
    sql = padded.isEmpty ? "(NULL)" : "(\(places))"
  }

  /// Returns the values, padded as in a list; none stay none.
  static func padded<Value>(_ values: [Value]) -> [Value] {
    guard let last = values.last else { return [] }
    var size = 1
    while size < values.count { size *= 2 }
    return values + Array(repeating: last, count: size - values.count)
  }
}
