import Foundation
import JWTKit

/// The header of a JWT, before its signature is verified (RFC 7515, 4.1).
struct TokenHead: Decodable, Sendable {
  let alg: String
  /// Id of the signing key.
  let kid: String?
  /// Extensions that a reader must understand; none are supported.
  let crit: [String]?
}

/// The claims of a token (RFC 7519, 4): texts, lists of texts, and numbers.
struct TokenClaims: JWTPayload, Sendable {
  private enum Value: Codable, Sendable {
    case text(String)
    case texts([String])
    case number(Double)
    case other

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        self = .text(text)
      } else if let number = try? value.decode(Double.self) {
        self = .number(number)
      } else if let texts = try? value.decode([String].self) {
        self = .texts(texts)
      } else {
        self = .other
      }
    }

    func encode(to encoder: any Encoder) throws {
      var value = encoder.singleValueContainer()
      switch self {
      case .text(let text): try value.encode(text)
      case .texts(let texts): try value.encode(texts)
      case .number(let number): try value.encode(number)
      case .other: try value.encodeNil()
      }
    }
  }

  private let values: [String: Value]

  init(from decoder: any Decoder) throws {
    values = try decoder.singleValueContainer().decode([String: Value].self)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(values)
  }

  /// Returns a text claim; nil where it is missing or not a text.
  func text(_ name: String) -> String? {
    if case .text(let text) = values[name] { text } else { nil }
  }

  /// Returns a claim that is one text or several.
  func texts(_ name: String) -> [String] {
    switch values[name] {
    case .text(let text): [text]
    case .texts(let texts): texts
    default: []
    }
  }

  /// Returns the space-separated words of a claim that is one text or a list.
  func words(_ name: String) -> [String] {
    texts(name).flatMap { $0.split(separator: " ").map(String.init) }
  }

  /// Returns a time claim in seconds since 1970; nil where it is missing.
  ///
  /// - Throws: ``Malformed`` where it is not a valid time.
  func time(_ name: String) throws(Malformed) -> Double? {
    switch values[name] {
    case nil: return nil
    // Later than the year 9999 is invalid: RFC 3339 has four digits.
    case .number(let seconds) where (0..<253_402_300_800).contains(seconds): return seconds
    default: throw Malformed()
    }
  }

  /// The error of a claim that has the wrong type or range.
  struct Malformed: Error {}

  /// Verifies nothing: ``TokenIssuers`` compares times by the gateway's own clock.
  func verify(using algorithm: some JWTAlgorithm) {}

  /// Decodes a part of a token: JSON in base64url without padding.
  static func decoded<Value: Decodable>(_ type: Value.Type, _ part: ArraySlice<UInt8>) -> Value? {
    var text = String(decoding: part, as: UTF8.self)
      .replacing("-", with: "+").replacing("_", with: "/")
    while text.utf8.count % 4 != 0 { text += "=" }
    return Data(base64Encoded: text).flatMap { try? JSONDecoder().decode(type, from: $0) }
  }
}
