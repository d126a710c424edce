internal import Crypto
internal import Synchronization

/// HMAC-SHA256 (RFC 2104) under one key, with a precomputed key schedule. Computing the schedule is
/// half the cost of authenticating a text as short as a digest, and a roster has millions of them.
struct Authenticator: Sendable {
  private static let blockBytes = 64
  private let inner: SHA256
  private let outer: SHA256

  /// - Parameter key: At most one SHA-256 block (64 bytes).
  init(_ key: SymmetricKey) {
    precondition(key.bitCount <= Self.blockBytes * 8, "a longer key would be hashed first")
    inner = Self.started(key, 0x36)
    outer = Self.started(key, 0x5c)
  }

  /// Returns a hasher that has consumed the key XORed with a pad byte (`ipad` or `opad`).
  private static func started(_ key: SymmetricKey, _ pad: UInt8) -> SHA256 {
    var block = [UInt8](repeating: pad, count: blockBytes)
    key.withUnsafeBytes { bytes in
      for (index, byte) in bytes.enumerated() { block[index] ^= byte }
    }
    var hasher = SHA256()
    block.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    return hasher
  }

  /// Returns the authentication code of `bytes`.
  func code(for bytes: [UInt8]) -> [UInt8] {
    var (inner, outer) = (inner, outer)
    bytes.withUnsafeBytes { inner.update(bufferPointer: $0) }
    inner.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
    return outer.finalize().withUnsafeBytes { Array($0) }
  }
}

/// A cache of authenticators, by key number and label.
final class AuthenticatorCache: Sendable {
  private struct Place: Hashable {
    let id: UInt32
    let label: String

    /// Hashes the number only, which is cheap: a cache has few labels.
    func hash(into hasher: inout Hasher) { hasher.combine(id) }
  }
  private let made = Mutex<[Place: Authenticator]>([:])

  func authenticator(of key: Keyring.Key, label: String) -> Authenticator {
    let place = Place(id: key.id, label: label)
    return made.withLock { made in
      if let known = made[place] { return known }
      let subkey = HKDF<SHA256>.deriveKey(
        inputKeyMaterial: key.secret, info: Array(label.utf8), outputByteCount: 32)
      let authenticator = Authenticator(subkey)
      made[place] = authenticator
      return authenticator
    }
  }
}
