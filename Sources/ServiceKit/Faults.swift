/// Collects the faults of a configuration, so that all are reported at once.
public struct Faults: Sendable {
  /// Each begins with the path of its field, for example `service.listen.port: 0 to 65535`.
  public private(set) var texts: [String] = []

  /// Creates a collection with the given faults.
  public init(_ texts: [String] = []) { self.texts = texts }

  /// Adds faults.
  public mutating func add(_ more: [String]) { texts += more }

  /// Returns the result of `body`; where it throws, records the error under `field` and returns
  /// nil.
  public mutating func catching<Value>(_ field: String? = nil, _ body: () throws -> Value) -> Value?
  {
    do {
      return try body()
    } catch {
      texts.append(field.map { "\($0): \(error)" } ?? "\(error)")
      return nil
    }
  }

  /// - Throws: ``ConfigurationError`` with all faults, if there are any.
  public func check() throws {
    guard texts.isEmpty else { throw ConfigurationError(texts.joined(separator: "; ")) }
  }
}
