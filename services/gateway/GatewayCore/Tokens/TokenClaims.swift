import Foundation
import JWTKit

/// What a token says before it is looked at how it was signed (RFC 7515, 4.1).
struct TokenHead: Decodable, Sendable {
  let alg: String
  /// Which key it was signed with.
  let kid: String?
  /// What a reader must understand: we know none.
  let crit: [String]?
}

/// What a token claims (RFC 7519, 4), as far as it is text, lists of texts, and numbers.
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

  /// Nil where there is none of that name, or it is no text.
  func text(_ name: String) -> String? {
    if case .text(let text) = values[name] { text } else { nil }
  }

  /// One text or several.
  func texts(_ name: String) -> [String] {
    switch values[name] {
    case .text(let text): [text]
    case .texts(let texts): texts
    default: []
    }
  }

  /// The words of a claim that is one text of words or a list of them.
  func words(_ name: String) -> [String] {
    texts(name).flatMap { $0.split(separator: " ").map(String.init) }
  }

  /// Seconds since 1970: nil where the claim is not there.
  ///
  /// - Throws: ``Malformed`` where it is no time.
  func time(_ name: String) throws(Malformed) -> Double? {
    switch values[name] {
    case nil: return nil
    // What cannot be a date of four digits is no time (RFC 3339).
    case .number(let seconds) where (0..<253_402_300_800).contains(seconds): return seconds
    default: throw Malformed()
    }
  }

  /// A claim is not what it must be.
  struct Malformed: Error {}

  /// Times are compared by the gateway's own clock.
  func verify(using algorithm: some JWTAlgorithm) {}

  /// A part of a token: JSON in base64url without padding.
  static func decoded<Value: Decodable>(_ type: Value.Type, _ part: ArraySlice<UInt8>) -> Value? {
    var text = String(decoding: part, as: UTF8.self)
      .replacing("-", with: "+").replacing("_", with: "/")
    while text.utf8.count % 4 != 0 { text += "=" }
    return Data(base64Encoded: text).flatMap { try? JSONDecoder().decode(type, from: $0) }
  }
}
