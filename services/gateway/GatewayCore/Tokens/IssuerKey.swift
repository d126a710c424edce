import Foundation
import JWTKit
import ServiceKit

/// A public key that verifies an issuer's tokens.
struct IssuerKey: Sendable {
  /// Asymmetric algorithms only: whoever can verify a token must not be able to sign one.
  static let algorithms: Set = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
  ]

  private enum Material: Sendable {
    case rsa(Insecure.RSA.PublicKey)
    case p256(ES256PublicKey)
    case p384(ES384PublicKey)
    case p521(ES512PublicKey)
    case ed25519(EdDSA.PublicKey)
  }

  private struct Unusable: Error {}

  /// The key id (`kid`); nil for a key of a PEM file, which has none.
  let id: String?
  /// The only algorithm that the key may be used with (`alg`); nil for any that fits its type.
  private let algorithm: String?
  private let material: Material

  /// - Throws: An error unless it is a public key of RSA (2,048 bits at least), P-256, P-384, P-521
  ///   or Ed25519.
  fileprivate init(_ key: JWK) throws {
    id = key.keyIdentifier?.string
    algorithm = key.algorithm?.rawValue
    guard let kind = JWK.KeyType(rawValue: key.keyType.rawValue) else { throw Unusable() }
    switch (kind.rawValue, key.curve?.rawValue ?? "") {
    case ("RSA", _):
      guard let modulus = key.modulus, let exponent = key.exponent else { throw Unusable() }
      material = .rsa(try Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent))
    case ("EC", let curve):
      guard let x = key.x, let y = key.y else { throw Unusable() }
      switch curve {
      case "P-256": material = .p256(try ES256PublicKey(parameters: (x, y)))
      case "P-384": material = .p384(try ES384PublicKey(parameters: (x, y)))
      case "P-521": material = .p521(try ES512PublicKey(parameters: (x, y)))
      default: throw Unusable()
      }
    case ("OKP", "Ed25519"):
      guard let x = key.x else { throw Unusable() }
      material = .ed25519(try EdDSA.PublicKey(x: x, curve: .ed25519))
    default: throw Unusable()
    }
  }

  fileprivate init(pem: String) throws {
    id = nil
    algorithm = nil
    if let key = try? Insecure.RSA.PublicKey(pem: pem) {
      material = .rsa(key)
    } else if let key = try? ES256PublicKey(pem: pem) {
      material = .p256(key)
    } else if let key = try? ES384PublicKey(pem: pem) {
      material = .p384(key)
    } else if let key = try? ES512PublicKey(pem: pem) {
      material = .p521(key)
    } else {
      material = .ed25519(try EdDSA.PublicKey(pem: pem))
    }
  }

  /// Returns the claims of a token if this key signed it with that algorithm; nil otherwise.
  func claims(of token: [UInt8], by algorithm: String) async -> TokenClaims? {
    guard self.algorithm ?? algorithm == algorithm else { return nil }
    // A collection with one key for one algorithm: JWTKit falls back to any key for an unknown
    // `kid`.
    let keys = JWTKeyCollection()
    switch (material, algorithm) {
    case (.rsa(let key), "RS256"): await keys.add(rsa: key, digestAlgorithm: .sha256)
    case (.rsa(let key), "RS384"): await keys.add(rsa: key, digestAlgorithm: .sha384)
    case (.rsa(let key), "RS512"): await keys.add(rsa: key, digestAlgorithm: .sha512)
    case (.rsa(let key), "PS256"): await keys.add(pss: key, digestAlgorithm: .sha256)
    case (.rsa(let key), "PS384"): await keys.add(pss: key, digestAlgorithm: .sha384)
    case (.rsa(let key), "PS512"): await keys.add(pss: key, digestAlgorithm: .sha512)
    case (.p256(let key), "ES256"): await keys.add(ecdsa: key)
    case (.p384(let key), "ES384"): await keys.add(ecdsa: key)
    case (.p521(let key), "ES512"): await keys.add(ecdsa: key)
    case (.ed25519(let key), "EdDSA"): await keys.add(eddsa: key)
    default: return nil
    }
    return try? await keys.verify(token, as: TokenClaims.self)
  }
}

/// The keys of an issuer's key file at the time of reading.
struct IssuerKeys: Sendable {
  /// Largest file, in bytes.
  static let bytesMax = 1 << 20
  /// Keys per file: two or three are usual, for rotation. Each key without a `kid` may have to be
  /// tried.
  private static let keysMax = (named: 64, unnamed: 8)

  /// File attributes that reveal a change.
  struct Stamp: Sendable, Hashable {
    let changed: Foundation.Date?
    let size: Int?
    let number: Int?

    init(of file: String) {
      let facts = try? FileManager.default.attributesOfItem(atPath: file)
      changed = facts?[.modificationDate] as? Foundation.Date
      size = facts?[.size] as? Int
      number = facts?[.systemFileNumber] as? Int
    }
  }

  private let keys: [IssuerKey]

  /// - Throws: ``ConfigurationError`` where the file cannot be read, or no valid set of keys is in
  ///   it.
  init(contentsOf file: String) throws {
    guard let data = FileManager.default.contents(atPath: file), data.count <= Self.bytesMax else {
      throw ConfigurationError("\(file): cannot be read, or has more than \(Self.bytesMax) bytes")
    }
    try self.init(data, of: file)
  }

  /// - Parameter source: Where the keys come from, for error messages.
  /// - Throws: ``ConfigurationError`` where the data is no valid set of keys.
  init(_ data: Data, of source: String) throws {
    do {
      keys = try Self.pem(data) ?? Self.jwks(data)
    } catch {
      throw ConfigurationError(
        "\(source): a JWKS, each key with a kid of its own, or PEM; RSA from 2048 bits, P-256, "
          + "P-384, P-521, Ed25519")
    }
  }

  private struct Wrong: Error {}

  private struct PublishedKeys: Decodable {
    let keys: [Published]

    /// A key of a JWKS; `key` is nil where it is not supported.
    struct Published: Decodable {
      let key: IssuerKey?

      init(from decoder: any Decoder) throws { key = try? IssuerKey(JWK(from: decoder)) }
    }
  }

  private static func jwks(_ data: Data) throws -> [IssuerKey] {
    // Unsupported keys and members are ignored (RFC 7517, 5).
    let keys = try JSONDecoder().decode(PublishedKeys.self, from: data).keys.compactMap(\.key)
    guard (1...keysMax.named).contains(keys.count),
      Set(keys.compactMap(\.id)).count == keys.count
    else { throw Wrong() }
    return keys
  }

  /// Returns nil where the data is not PEM.
  private static func pem(_ data: Data) throws -> [IssuerKey]? {
    let text = String(decoding: data, as: UTF8.self)
    let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")
    guard text.contains("-----BEGIN ") else { return nil }
    let parts = text.split(separator: begin, omittingEmptySubsequences: false).dropFirst()
    guard (1...keysMax.unnamed).contains(parts.count) else { throw Wrong() }
    return try parts.map { part in
      guard let body = part.firstRange(of: end) else { throw Wrong() }
      return try IssuerKey(pem: begin + part[..<body.upperBound])
    }
  }

  /// Returns the keys that may have signed a token with that `kid`.
  func named(_ id: String?) -> [IssuerKey] { keys.filter { $0.id == nil || $0.id == id } }
}
