internal import Crypto

/// The data key of one person. All data stored about the person, event payloads included, are
/// sealed with it. Erasure deletes the wrapped key, which makes every copy unreadable that was made
/// without the key, as events held by consumers are. A backup from before the erasure holds the
/// wrapped key as well: whoever has it and the service's keyrings can read the person's data.
///
/// Stored wrapped (sealed by the service's `FieldCipher`) in a table of the service, one row per
/// person.
public struct PersonKey: Sendable, CustomStringConvertible {
  private static let version: UInt8 = 2
  private let person: String
  private let secret: SymmetricKey

  fileprivate init(person: String, secret: SymmetricKey) {
    self.person = person
    self.secret = secret
  }

  /// Seals bytes for one table and column of this person.
  public func seal(
    _ bytes: [UInt8], table: String, column: String
  ) throws(StorageError) -> [UInt8] {
    try SealedBox.seal(
      bytes, version: PersonKey.version, keyID: 0, key: secret,
      context: SealedBox.context(table, column, person))
  }

  /// Opens a value sealed for the same table and column of this person.
  ///
  /// - Throws: `StorageError.sealBroken`.
  public func open(
    _ sealed: [UInt8], table: String, column: String
  ) throws(StorageError) -> [UInt8] {
    try SealedBox.open(
      sealed, version: PersonKey.version, key: secret,
      context: SealedBox.context(table, column, person))
  }

  /// Seals text for one table and column of this person.
  public func seal(_ text: String, table: String, column: String) throws(StorageError) -> [UInt8] {
    try seal(Array(text.utf8), table: table, column: column)
  }

  /// Opens text sealed for the same table and column of this person.
  public func openText(
    _ sealed: [UInt8], table: String, column: String
  ) throws(StorageError) -> String {
    guard
      let text = String(validating: try open(sealed, table: table, column: column), as: UTF8.self)
    else { throw .sealBroken }
    return text
  }

  public var description: String { "person key" }
}

extension FieldCipher {
  /// Returns a new key for a person, and its wrapped form for storage.
  public func newPersonKey(
    person: String
  ) throws(StorageError) -> (key: PersonKey, wrapped: [UInt8]) {
    let secret = SymmetricKey(size: .bits256)
    let bytes = secret.withUnsafeBytes { Array($0) }
    let wrapped = try seal(bytes, table: "person_key", column: "key", row: person)
    return (PersonKey(person: person, secret: secret), wrapped)
  }

  /// Unwraps a person's key; throws as `open` does.
  public func personKey(_ wrapped: [UInt8], person: String) throws(StorageError) -> PersonKey {
    let bytes = try open(wrapped, table: "person_key", column: "key", row: person)
    return PersonKey(person: person, secret: SymmetricKey(data: bytes))
  }

  /// Returns the key wrapped under the current key, for rotation.
  public func rewrapped(_ wrapped: [UInt8], person: String) throws(StorageError) -> [UInt8] {
    let bytes = try open(wrapped, table: "person_key", column: "key", row: person)
    return try seal(bytes, table: "person_key", column: "key", row: person)
  }
}
