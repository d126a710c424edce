internal import Crypto
internal import Foundation
internal import Synchronization

/// Seals single values of a table, so that a leaked store shows nothing.
///
/// AES-256-GCM under a subkey that HKDF-SHA256 derives from the keyring's key for each table. A
/// sealed value opens only in its own place: table, column and row are authenticated. Its form:
/// version (1 byte), key id (4, big-endian), nonce (12), ciphertext, tag (16).
///
/// Safe to use from any thread at once.
public struct FieldCipher: Sendable {
  /// Bytes that sealing adds.
  public static let overheadBytes = headerBytes + 12 + 16
  static let headerBytes = 5
  static let version: UInt8 = 1

  private let live: LiveKeyring
  private let subkeys = SubkeyCache()

  /// A cipher whose keys may be replaced while it is in use.
  public init(_ live: LiveKeyring) {
    self.live = live
  }

  /// A cipher whose keys stay.
  public init(_ keyring: Keyring) {
    self.init(LiveKeyring(keyring))
  }

  /// Seals bytes for one place, under the current key.
  public func seal(
    _ bytes: [UInt8], table: String, column: String, row: String
  ) throws(StorageError) -> [UInt8] {
    let key = live.keyring.current
    return try SealedBox.seal(
      bytes, version: FieldCipher.version, keyID: key.id, key: subkey(key, "seal", table),
      context: SealedBox.context(table, column, row))
  }

  /// Opens what was sealed for this place.
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

  /// Seals text.
  public func seal(
    _ text: String, table: String, column: String, row: String
  ) throws(StorageError) -> [UInt8] {
    try seal(Array(text.utf8), table: table, column: column, row: row)
  }

  /// Opens text.
  public func openText(
    _ sealed: [UInt8], table: String, column: String, row: String
  ) throws(StorageError) -> String {
    let bytes = try open(sealed, table: table, column: column, row: row)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .sealBroken }
    return text
  }

  /// Whether a value was sealed by an older key than the current one: a rotation seals it anew.
  public func isOutdated(_ sealed: [UInt8]) throws(StorageError) -> Bool {
    try FieldCipher.keyID(of: sealed) != currentKeyID
  }

  /// A keyed digest of bytes that must be recognized and not read, with the key of a sealed value.
  func digest(of bytes: [UInt8], table: String, keyID: UInt32) throws(StorageError) -> [UInt8] {
    let key = subkey(try live.key(keyID), "digest", table)
    return Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
  }

  /// The number of the key that seals now.
  public var currentKeyID: UInt32 { live.keyring.current.id }

  static func keyID(of sealed: [UInt8]) throws(StorageError) -> UInt32 {
    guard sealed.count >= overheadBytes, sealed[0] == version else { throw .sealBroken }
    return sealed[1..<headerBytes].reduce(0) { $0 << 8 | UInt32($1) }
  }

  private func subkey(_ key: Keyring.Key, _ use: String, _ table: String) -> SymmetricKey {
    subkeys.subkey(of: key, label: "yijia \(use) \(table)")
  }
}

/// AES-GCM with a small header; the header and the place are authenticated.
enum SealedBox {
  static func seal(
    _ bytes: [UInt8], version: UInt8, keyID: UInt32, key: SymmetricKey, context: [UInt8]
  ) throws(StorageError) -> [UInt8] {
    let header = [version] + withUnsafeBytes(of: keyID.bigEndian) { Array($0) }
    do {
      let box = try AES.GCM.seal(bytes, using: key, authenticating: header + context)
      return header + Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
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

  /// Parts with their lengths, so that no two places have the same bytes.
  static func context(_ parts: String...) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: part.utf8)
    }
    return bytes
  }
}

/// Derived keys, made once: as many as keys times tables.
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
