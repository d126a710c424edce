internal import Crypto
internal import Foundation
internal import Synchronization

/// Encrypts single column values, so that a leaked store reveals nothing.
///
/// AES-256-GCM under a subkey derived per table from the keyring's key by HKDF-SHA256. Table,
/// column and row are authenticated, so a sealed value opens only in its own place. Format: version
/// (1 byte), key id (4, big-endian), nonce (12), ciphertext, tag (16).
///
/// Safe to call from any thread.
public struct FieldCipher: Sendable {
  /// The number of bytes that sealing adds.
  public static let overheadBytes = headerBytes + SealedBox.nonceBytes + SealedBox.tagBytes
  static let headerBytes = 5
  static let version: UInt8 = 1

  private let live: LiveKeyring
  private let subkeys = SubkeyCache()
  private let codes = AuthenticatorCache()

  /// Creates a cipher whose keyring may be replaced while in use.
  public init(_ live: LiveKeyring) {
    self.live = live
  }

  /// Creates a cipher with a fixed keyring.
  public init(_ keyring: Keyring) {
    self.init(LiveKeyring(keyring))
  }

  /// Seals bytes for one table, column and row under the current key.
  public func seal(
    _ bytes: [UInt8], table: String, column: String, row: String
  ) throws(StorageError) -> [UInt8] {
    let key = live.keyring.current
    return try SealedBox.seal(
      bytes, version: FieldCipher.version, keyID: key.id, key: subkey(key, "seal", table),
      context: SealedBox.context(table, column, row))
  }

  /// Opens a value sealed for the same table, column and row.
  ///
  /// - Throws: `StorageError.unknownKey`, `.sealBroken`.
  public func open(
    _ sealed: [UInt8], table: String, column: String, row: String
  ) throws(StorageError) -> [UInt8] {
    let key = try live.key(try FieldCipher.keyID(of: sealed))
    return try SealedBox.open(
      sealed, version: FieldCipher.version, key: subkey(key, "seal", table),
      context: SealedBox.context(table, column, row))
  }

  /// Seals text for one table, column and row under the current key.
  public func seal(
    _ text: String, table: String, column: String, row: String
  ) throws(StorageError) -> [UInt8] {
    try seal(Array(text.utf8), table: table, column: column, row: row)
  }

  /// Opens text sealed for the same table, column and row.
  public func openText(
    _ sealed: [UInt8], table: String, column: String, row: String
  ) throws(StorageError) -> String {
    let bytes = try open(sealed, table: table, column: column, row: row)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .sealBroken }
    return text
  }

  /// Returns whether a value was sealed under an older key than the current one; a key rotation
  /// reseals such values.
  public func isOutdated(_ sealed: [UInt8]) throws(StorageError) -> Bool {
    try FieldCipher.keyID(of: sealed) != currentKeyID
  }

  /// Returns a keyed digest for bytes that are compared but never read back, under the key of a
  /// sealed value.
  func digest(of bytes: [UInt8], table: String, keyID: UInt32) throws(StorageError) -> [UInt8] {
    let key = try live.key(keyID)
    return codes.authenticator(of: key, label: "yijia digest \(table)").code(for: bytes)
  }

  /// The number of the current key.
  public var currentKeyID: UInt32 { live.keyring.current.id }

  /// Returns the key number in the header of a sealed value.
  static func keyID(of sealed: [UInt8]) throws(StorageError) -> UInt32 {
    guard sealed.count >= overheadBytes, sealed[0] == version else { throw .sealBroken }
    return sealed[1..<headerBytes].reduce(0) { $0 << 8 | UInt32($1) }
  }

  private func subkey(_ key: Keyring.Key, _ use: String, _ table: String) -> SymmetricKey {
    subkeys.subkey(of: key, label: "yijia \(use) \(table)")
  }
}

/// AES-GCM with a small header; the header and the context are authenticated.
enum SealedBox {
  static let nonceBytes = 12
  static let tagBytes = 16

  static func seal(
    _ bytes: [UInt8], version: UInt8, keyID: UInt32, key: SymmetricKey, context: [UInt8]
  ) throws(StorageError) -> [UInt8] {
    let header = [version] + withUnsafeBytes(of: keyID.bigEndian) { Array($0) }
    do {
      let nonce = try withUnsafeBytes(of: RandomWords.next()) {
        try AES.GCM.Nonce(data: $0.prefix(nonceBytes))
      }
      let box = try AES.GCM.seal(
        bytes, using: key, nonce: nonce, authenticating: header + context)
      var sealed = header
      sealed.reserveCapacity(FieldCipher.overheadBytes + bytes.count)
      sealed.append(contentsOf: nonce)
      sealed.append(contentsOf: box.ciphertext)
      sealed.append(contentsOf: box.tag)
      return sealed
    } catch {
      throw .sealBroken
    }
  }

  static func open(
    _ sealed: [UInt8], version: UInt8, key: SymmetricKey, context: [UInt8]
  ) throws(StorageError) -> [UInt8] {
    let headerBytes = FieldCipher.headerBytes
    guard sealed.count >= FieldCipher.overheadBytes, sealed[0] == version else { throw .sealBroken }
    let header = Array(sealed[..<headerBytes])
    do {
      let box = try AES.GCM.SealedBox(combined: Data(sealed[headerBytes...]))
      return Array(try AES.GCM.open(box, using: key, authenticating: header + context))
    } catch {
      throw .sealBroken
    }
  }

  /// Encodes parts with length prefixes, so that no two contexts have the same encoding.
  static func context(_ parts: String...) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: part.utf8)
    }
    return bytes
  }
}

/// A cache of derived keys, of size keys × tables.
final class SubkeyCache: Sendable {
  private struct Place: Hashable {
    let id: UInt32
    let label: String
  }
  private let made = Mutex<[Place: SymmetricKey]>([:])

  func subkey(of key: Keyring.Key, label: String) -> SymmetricKey {
    let place = Place(id: key.id, label: label)
    return made.withLock { made in
      if let subkey = made[place] { return subkey }
      let subkey = HKDF<SHA256>.deriveKey(
        inputKeyMaterial: key.secret, info: Array(label.utf8), outputByteCount: 32)
      made[place] = subkey
      return subkey
    }
  }
}
