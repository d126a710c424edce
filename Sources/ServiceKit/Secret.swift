import Crypto
import Foundation

/// A secret as callers show it: 256 random bits as 64 hex digits after a prefix that secret
/// scanners can know.
public struct Secret: Sendable {
  /// What a secret begins with, by what it is of.
  public enum Prefix: String, Sendable {
    /// A partner's API key.
    case partner = "yjp_"
    /// A kiosk's key.
    case kiosk = "yk_"
    /// The token of a session, or of staff of a configuration.
    case session = "yjs_"
  }

  private static let digits = 64
  /// Digits of the hint: enough to tell keys apart, and 224 bits stay unknown.
  private static let hintDigits = 8

  private let prefix: Prefix
  public let text: String

  /// - Parameter ids: Two of its 128-bit identifiers make a secret.
  public init(_ prefix: Prefix, ids: IDSource) {
    self.prefix = prefix
    text = prefix.rawValue + ids.next() + ids.next()
  }

  /// SHA-256 of the text: what is stored, and compared.
  public var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

  /// How it begins.
  public var hint: String { String(text.prefix(prefix.rawValue.count + Self.hintDigits)) }

  /// Whether a text may be a secret with that prefix: others are not looked for in the store.
  public static func isOne(_ text: [UInt8], _ prefix: Prefix) -> Bool {
    text.count == prefix.rawValue.utf8.count + digits && text.starts(with: prefix.rawValue.utf8)
  }
}
