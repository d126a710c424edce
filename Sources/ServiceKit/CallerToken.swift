import Crypto
import Foundation
import GoogleProtobuf
import Protobuf
import RPC
import Synchronization
import YijiaTypeV1

/// The metadata that carries a signed caller token inwards.
public let callerTokenMetadata = "yijia-caller-bin"

/// How long a caller token holds at most.
public let callerTokenLifetimeSeconds: Int64 = 60

/// A signed caller token as a header field has it.
public struct SignedHeader: Sendable {
  /// In base64.
  public let value: String
  /// When there is to be another one; microseconds since 1970.
  public let renewAt: Int64
}

/// Signs caller tokens at the gateway. One token serves a caller and an audience, and is used again
/// until half of its time is over: signing costs 20 µs.
///
/// Safe to use from any thread.
public final class CallerTokenSigner: Sendable {
  private struct Use: Hashable {
    let caller: Caller
    let audience: String
  }
  private struct Signed {
    let bytes: [UInt8]
    /// The same in base64.
    let header: String
    let renewAt: Int64
  }

  /// Callers whose tokens are kept; above it all are dropped and signed anew as needed.
  private static let cachedTokensMax = 20_000

  private let keyID: String
  private let key: Curve25519.Signing.PrivateKey
  private let clock: Clock
  private let cache = Mutex<[Use: Signed]>([:])

  /// - Parameters:
  ///   - keyID: Names the key to the verifier.
  ///   - seed: The 32 bytes of an Ed25519 private key.
  public init(keyID: String, seed: [UInt8], clock: Clock = .system) throws {
    self.keyID = keyID
    key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
    self.clock = clock
  }

  /// The serialized `SignedCallerToken` for `caller` at `audience`.
  public func token(for caller: Caller, audience: String) throws -> [UInt8] {
    try signed(for: caller, audience: audience).bytes
  }

  /// The same as the value of the header field.
  public func header(for caller: Caller, audience: String) throws -> String {
    try signed(for: caller, audience: audience).header
  }

  /// The same, for whoever keeps it until it is time for another.
  public func signedHeader(for caller: Caller, audience: String) throws -> SignedHeader {
    let signed = try signed(for: caller, audience: audience)
    return SignedHeader(value: signed.header, renewAt: signed.renewAt * 1_000_000)
  }

  private func signed(for caller: Caller, audience: String) throws -> Signed {
    let now = clock.microseconds / 1_000_000
    let use = Use(caller: caller, audience: audience)
    if let signed = cache.withLock({ $0[use] }), now < signed.renewAt { return signed }
    var token = CallerToken()
    token.kind = caller.kind
    token.subject = caller.subject
    token.audience = audience
    token.organization = caller.organization
    token.staffRole = caller.staffRole
    token.point = caller.point
    token.expireTime = Timestamp(microseconds: (now + callerTokenLifetimeSeconds) * 1_000_000)
    var envelope = SignedCallerToken()
    envelope.token = try token.wireBytes()
    envelope.keyID = keyID
    envelope.signature = [UInt8](try key.signature(for: envelope.token))
    let bytes = try envelope.wireBytes()
    let signed = Signed(
      bytes: bytes, header: Base64.encode(bytes), renewAt: now + callerTokenLifetimeSeconds / 2)
    cache.withLock {
      if $0.count >= Self.cachedTokensMax { $0.removeAll(keepingCapacity: true) }
      $0[use] = signed
    }
    return signed
  }
}

/// Checks caller tokens in a service. Checked ones are remembered until they end: checking costs
/// 57 µs.
///
/// Safe to use from any thread.
public final class CallerTokenVerifier: Sendable {
  private struct Checked {
    let caller: Caller
    let expiresAt: Int64
  }

  private static let cachedTokensMax = 20_000
  /// A token is some hundred bytes; a longer one is not looked at.
  private static let tokenBytesMax = 4_096

  private let audience: String
  private let publicKeys: [String: Curve25519.Signing.PublicKey]
  private let clock: Clock
  private let cache = Mutex<[[UInt8]: Checked]>([:])

  /// - Parameters:
  ///   - audience: Name of this service.
  ///   - publicKeys: Ed25519 public keys (32 bytes) of the gateway by key id.
  public init(audience: String, publicKeys: [String: [UInt8]], clock: Clock = .system) throws {
    self.audience = audience
    // The keys are kept, not only tried: swift-crypto's initializer, inlined and its result thrown
    // away, is compiled (Swift 6.3, -O) to write into memory that it has freed.
    self.publicKeys = try publicKeys.mapValues {
      try Curve25519.Signing.PublicKey(rawRepresentation: $0)
    }
    self.clock = clock
  }

  /// The caller that a token proves.
  ///
  /// - Throws: ``CommonFailure/callerUnproven``, whatever is wrong with the token.
  public func caller(of token: [UInt8]) throws -> Caller {
    let now = clock.microseconds / 1_000_000
    if let checked = cache.withLock({ $0[token] }) {
      guard now <= checked.expiresAt else { throw CommonFailure.callerUnproven }
      return checked.caller
    }
    guard token.count <= Self.tokenBytesMax,
      let envelope = try? SignedCallerToken(wireBytes: token),
      let key = publicKeys[envelope.keyID],
      key.isValidSignature(envelope.signature, for: envelope.token),
      let content = try? CallerToken(wireBytes: envelope.token),
      content.audience == audience, let end = content.expireTime?.seconds,
      now <= end, end - now <= callerTokenLifetimeSeconds + 5
    else { throw CommonFailure.callerUnproven }
    let caller = Caller(
      kind: content.kind, subject: content.subject, organization: content.organization,
      staffRole: content.staffRole, point: content.point)
    cache.withLock {
      if $0.count >= Self.cachedTokensMax { $0.removeAll(keepingCapacity: true) }
      $0[token] = Checked(caller: caller, expiresAt: end)
    }
    return caller
  }
}

/// Reads and makes the key files of the gateway's tokens: base64 of the raw 32 bytes, one line.
public enum TokenKeyFile {
  /// The raw key in `path`.
  public static func read(_ path: String) throws -> [UInt8] {
    guard let content = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw ConfigurationError("\(path): the key file cannot be read")
    }
    let text = content.trimmingCharacters(in: .whitespacesAndNewlines)
    guard let data = Data(base64Encoded: text), data.count == 32 else {
      throw ConfigurationError("\(path): a key file holds 32 bytes in base64 on one line")
    }
    return [UInt8](data)
  }

  /// A new key pair, as the texts of its two files.
  public static func generate() -> (privateKey: String, publicKey: String) {
    let key = Curve25519.Signing.PrivateKey()
    return (
      key.rawRepresentation.base64EncodedString() + "\n",
      key.publicKey.rawRepresentation.base64EncodedString() + "\n"
    )
  }
}

extension ServiceConfiguration {
  /// Checks the gateway's caller tokens for a service, by the public keys that are configured.
  /// - Throws: where a key file cannot be read.
  public func callerTokenVerifier(audience: String) throws -> CallerTokenVerifier {
    let keys = try callerTokenKeys.map { ($0.id, try TokenKeyFile.read($0.publicKeyFile)) }
    return try CallerTokenVerifier(
      audience: audience, publicKeys: Dictionary(keys, uniquingKeysWith: { $1 }))
  }
}
