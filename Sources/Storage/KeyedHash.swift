internal import Crypto

/// Finds a person by an identifier that isn't stored: HMAC-SHA256(key, SHA-256(identifier)).
///
/// The inner SHA-256 lets a partner who must not send identifiers send their SHA-256 instead; such
/// a digest is treated as personal data too (identifiers are few enough to try them all).
///
/// The key rotates: a lookup tries `candidates`, a store uses `hash`. Uniqueness over a rotation
/// needs both hashes looked up in the write's read phase.
public struct KeyedHash: Sendable {
  /// Bytes of a hash, and of the SHA-256 that partners send.
  public static let digestBytes = 32

  private let keys: [SymmetricKey]

  /// The newest key of the ring, and the one before it where there is one.
  ///
  /// - Parameter purpose: separates uses of one keyring, e.g. `resident id` from `phone`.
  public init(_ keyring: Keyring, purpose: String) {
    keys = keyring.keys.suffix(2).reversed().map { key in
      HKDF<SHA256>.deriveKey(
        inputKeyMaterial: key.secret, info: Array("yijia hash \(purpose)".utf8),
        outputByteCount: 32)
    }
  }

  /// The hash of a normalized identifier, under the current key.
  public func hash(_ normalized: String) -> [UInt8] {
    candidates(normalized)[0]
  }

  /// The hashes that the identifier may be stored under: the current key's first.
  public func candidates(_ normalized: String) -> [[UInt8]] {
    candidates(digest: Array(SHA256.hash(data: Array(normalized.utf8))))
  }

  /// As `hash(_:)`, of an identifier of which only the SHA-256 is known; `nil` unless 32 bytes.
  public func hash(sha256 digest: [UInt8]) -> [UInt8]? {
    candidates(sha256: digest)?.first
  }

  /// As `candidates(_:)`, of an identifier of which only the SHA-256 is known; `nil` unless it has
  /// 32 bytes.
  public func candidates(sha256 digest: [UInt8]) -> [[UInt8]]? {
    digest.count == KeyedHash.digestBytes ? candidates(digest: digest) : nil
  }

  private func candidates(digest: [UInt8]) -> [[UInt8]] {
    keys.map { Array(HMAC<SHA256>.authenticationCode(for: digest, using: $0)) }
  }
}
