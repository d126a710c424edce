public import Storage
public import Testing

/// In a test's report an error says what the engine said: here are no secrets.
extension StorageError: CustomTestStringConvertible {
  public var testDescription: String { debugDetail.map { "\(self) (\($0))" } ?? description }
}
