public import Storage
public import Testing

/// Test reports show the engine's own error text: tests have no secrets.
extension StorageError: CustomTestStringConvertible {
  public var testDescription: String { debugDetail.map { "\(self) (\($0))" } ?? description }
}
