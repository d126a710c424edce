import Crypto
import Foundation

/// A generated credential: 256 random bits as 64 hex digits, after a prefix that secret scanners
/// can recognize.
public struct Secret: Sendable {
  /// The prefix of each kind of credential.
  public enum Prefix: String, Sendable {
    /// A partner's API key.
    case partner = "yjp_"
    /// A kiosk's key.
    case kiosk = "yk_"
    /// A session token, or the token of staff of a configuration file.
    case session = "yjs_"
  }

  private static let digits = 64
  /// Digits of the hint: enough to tell keys apart, while 224 bits stay unknown.
  private static let hintDigits = 8

  private let prefix: Prefix
  /// The secret in plain text.
  public let text: String

  /// Generates a secret.
  ///
  /// - Parameter ids: Source of random identifiers; two of 128 bits make a secret.
  public init(_ prefix: Prefix, ids: IDSource) {
    self.prefix = prefix
    text = prefix.rawValue + ids.next() + ids.next()
  }

  /// SHA-256 of the text, which is what is stored and compared.
  public var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

  /// The beginning of the text.
  public var hint: String { String(text.prefix(prefix.rawValue.count + Self.hintDigits)) }

  /// Returns whether a text has the form of a secret with that prefix; others are not looked up in
  /// the store.
  public static func isOne(_ text: [UInt8], _ prefix: Prefix) -> Bool {
    text.count == prefix.rawValue.utf8.count + digits && text.starts(with: prefix.rawValue.utf8)
  }
}
