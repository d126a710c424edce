internal import Crypto

/// Finds a person by an identifier that isn't stored: HMAC-SHA256(key, SHA-256(identifier)).
///
/// The inner SHA-256 lets a partner who must not send identifiers send their SHA-256 instead; such
/// a digest is treated as personal data too (identifiers are few enough to try them all).
///
/// The key rotates: a lookup tries all `candidates`, and a store keeps all of them, each under a
/// unique constraint, until the older key is retired. So whoever has one key in common with a
/// writer finds what it stored and can't store it again: uniqueness holds throughout, over replicas
/// that take up the new key at different moments too.
public struct KeyedHash: Sendable {
  /// Bytes of a hash, and of the SHA-256 that partners send.
  public static let digestBytes = 32
  /// Keys that are looked up: the newest of the ring, and the one before it.
  public static let keysMax = 2

  /// A hash with the number of its key.
  public struct Candidate: Sendable, Hashable {
    public let key: UInt32
    public let digest: [UInt8]
  }

  private let live: LiveKeyring
  private let label: String
  private let codes = AuthenticatorCache()

  /// - Parameter purpose: separates uses of one keyring, e.g. `resident id` from `phone`.
  public init(_ live: LiveKeyring, purpose: String) {
    self.live = live
    label = "yijia hash \(purpose)"
  }

  /// A hash whose keys stay.
  public init(_ keyring: Keyring, purpose: String) {
    self.init(LiveKeyring(keyring), purpose: purpose)
  }

  /// The number of the current key.
  public var currentKeyID: UInt32 { live.keyring.current.id }

  /// The hash of a normalized identifier, under the current key.
  public func hash(_ normalized: String) -> [UInt8] {
    candidates(normalized)[0]
  }

  /// The hashes that the identifier may be stored under: the current key's first.
  public func candidates(_ normalized: String) -> [[UInt8]] {
    keyed(normalized).map(\.digest)
  }

  /// As `candidates(_:)`, with the keys' numbers.
  public func keyed(_ normalized: String) -> [Candidate] {
    var text = normalized
    var hasher = SHA256()
    text.withUTF8 { hasher.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    return candidates(digest: hasher.finalize().withUnsafeBytes { Array($0) })
  }

  /// As `hash(_:)`, of an identifier of which only the SHA-256 is known; `nil` unless 32 bytes.
  public func hash(sha256 digest: [UInt8]) -> [UInt8]? {
    candidates(sha256: digest)?.first
  }

  /// As `candidates(_:)`, of an identifier of which only the SHA-256 is known; `nil` unless it has
  /// 32 bytes.
  public func candidates(sha256 digest: [UInt8]) -> [[UInt8]]? {
    digest.count == KeyedHash.digestBytes ? candidates(digest: digest).map(\.digest) : nil
  }

  private func candidates(digest: [UInt8]) -> [Candidate] {
    live.keyring.keys.suffix(Self.keysMax).reversed().map { key in
      Candidate(key: key.id, digest: codes.authenticator(of: key, label: label).code(for: digest))
    }
  }
}
