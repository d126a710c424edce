import Foundation
import JWTKit
import ServiceKit

/// A public key that tokens are checked with.
struct IssuerKey: Sendable {
  /// Asymmetric ones only: who can check a token cannot make one.
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

  /// What tokens call it; nil for a key of a PEM file, which has no name.
  let id: String?
  /// The only algorithm that it is for; nil for any that fits.
  private let algorithm: String?
  private let material: Material

  /// - Throws: Where it is no public key of RSA (2,048 bits at least), P-256, P-384, P-521 or
  ///   Ed25519.
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

  /// What a token claims that this key signed by that algorithm; nil where it did not.
  func claims(of token: [UInt8], by algorithm: String) async -> TokenClaims? {
    guard self.algorithm ?? algorithm == algorithm else { return nil }
    // A collection of one, for one algorithm: JWTKit takes any key where it does not know the name.
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

/// The keys in an issuer's file, as they were when it was read.
struct IssuerKeys: Sendable {
  /// Bytes of a file.
  static let bytesMax = 1 << 20
  /// Keys in a file: two or three are usual, so that they can be rotated. Without a name each of
  /// them may be tried.
  private static let keysMax = (named: 64, unnamed: 8)

  /// By which a file is known to have changed.
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

  /// - Throws: ``ConfigurationError`` where the file is not there, or not all of it can be used.
  init(contentsOf file: String) throws {
    guard let data = FileManager.default.contents(atPath: file), data.count <= Self.bytesMax else {
      throw ConfigurationError("\(file): cannot be read, or has more than \(Self.bytesMax) bytes")
    }
    try self.init(data, of: file)
  }

  /// - Parameter source: Where they are from, for people.
  /// - Throws: ``ConfigurationError`` where not all of them can be used.
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

    /// nil where it is no key that is understood.
    struct Published: Decodable {
      let key: IssuerKey?

      init(from decoder: any Decoder) throws { key = try? IssuerKey(JWK(from: decoder)) }
    }
  }

  private static func jwks(_ data: Data) throws -> [IssuerKey] {
    // One that is not understood is passed over, as are members that are not (RFC 7517, 5).
    let keys = try JSONDecoder().decode(PublishedKeys.self, from: data).keys.compactMap(\.key)
    guard (1...keysMax.named).contains(keys.count),
      Set(keys.compactMap(\.id)).count == keys.count
    else { throw Wrong() }
    return keys
  }

  /// Nil where it is no PEM.
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

  /// The keys that may have signed a token with that `kid`.
  func named(_ id: String?) -> [IssuerKey] { keys.filter { $0.id == nil || $0.id == id } }
}
