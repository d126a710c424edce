internal import Crypto

/// Hashes an identifier that is looked up but not stored: HMAC-SHA256(key, SHA-256(identifier)).
///
/// The inner SHA-256 lets a partner who must not send identifiers send their SHA-256 instead. Such
/// a digest is treated as personal data too, because identifiers are few enough to enumerate.
///
/// The key rotates: a lookup tries all `candidates`, and a store keeps all of them, each under a
/// unique constraint, until the older key is retired. Two replicas that share one key therefore
/// find each other's rows and can't store them twice: uniqueness holds even while replicas reload
/// the keyring at different times.
public struct KeyedHash: Sendable {
  /// The size of a hash, and of a SHA-256 sent by a partner, in bytes.
  public static let digestBytes = 32
  /// The number of keys used for lookups: the newest of the ring and the one before it.
  public static let keysMax = 2

  /// A hash and the number of its key.
  public struct Candidate: Sendable, Hashable {
    /// The number of the key.
    public let key: UInt32
    /// The hash under that key.
    public let digest: [UInt8]
  }

  private let live: LiveKeyring
  private let label: String
  private let codes = AuthenticatorCache()

  /// - Parameter purpose: Separates uses of one keyring, e.g. `resident id` from `phone`.
  public init(_ live: LiveKeyring, purpose: String) {
    self.live = live
    label = "yijia hash \(purpose)"
  }

  /// Creates a hash with a fixed keyring.
  public init(_ keyring: Keyring, purpose: String) {
    self.init(LiveKeyring(keyring), purpose: purpose)
  }

  /// The number of the current key.
  public var currentKeyID: UInt32 { live.keyring.current.id }

  /// Returns the hash of a normalized identifier under the current key.
  public func hash(_ normalized: String) -> [UInt8] {
    candidates(normalized)[0]
  }

  /// Returns the hashes under which the identifier may be stored, the current key's first.
  public func candidates(_ normalized: String) -> [[UInt8]] {
    keyed(normalized).map(\.digest)
  }

  /// Returns the candidates with the numbers of their keys.
  public func keyed(_ normalized: String) -> [Candidate] {
    var text = normalized
    var hasher = SHA256()
    text.withUTF8 { hasher.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    return candidates(digest: hasher.finalize().withUnsafeBytes { Array($0) })
  }

  /// Returns the hash of an identifier given by its SHA-256; `nil` unless the digest has 32 bytes.
  public func hash(sha256 digest: [UInt8]) -> [UInt8]? {
    candidates(sha256: digest)?.first
  }

  /// Returns the candidates of an identifier given by its SHA-256; `nil` unless the digest has 32
  /// bytes.
  public func candidates(sha256 digest: [UInt8]) -> [[UInt8]]? {
    digest.count == KeyedHash.digestBytes ? candidates(digest: digest).map(\.digest) : nil
  }

  private func candidates(digest: [UInt8]) -> [Candidate] {
    live.keyring.keys.suffix(Self.keysMax).reversed().map { key in
      Candidate(key: key.id, digest: codes.authenticator(of: key, label: label).code(for: digest))
    }
  }
}
