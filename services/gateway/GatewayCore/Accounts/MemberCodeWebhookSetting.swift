import Foundation
import ServiceKit

/// The relay that members' one-time codes are posted to.
public struct MemberCodeWebhookSetting: Codable, Sendable, Hashable {
  /// URL of the relay: https, or http of a loopback address.
  public var url: String
  /// File with the token that is sent as `authorization: Bearer`; empty for none. A reload reads it
  /// again.
  public var tokenFile: String
  /// PEM file with the authorities to trust; empty for the system's.
  public var authorityFile: String
  /// The text message; `{code}` and `{minutes}` are replaced.
  public var text: String
  /// Time limit of an attempt, in seconds.
  public var timeoutSeconds: Int
  /// Messages for all phones together: that many at once, and that many per hour in the long run.
  /// Beyond it codes are refused.
  public var messagesPerHour: Int

  enum CodingKeys: String, CodingKey {
    case url, text
    case tokenFile = "token_file"
    case authorityFile = "authority_file"
    case timeoutSeconds = "timeout_seconds"
    case messagesPerHour = "messages_per_hour"
  }

  /// The defaults.
  public init() {
    url = ""
    tokenFile = ""
    authorityFile = ""
    text = "【驿家】验证码{code}，{minutes}分钟内有效，请勿告诉他人。"
    timeoutSeconds = 5
    // Twice what one address may request (``SourceThrottle``): none can use it up by itself.
    messagesPerHour = 3_600
  }
}

extension MemberCodeWebhookSetting {
  /// Characters of a message; providers split at about 70.
  private static let textMax = 200
  private static let tokenBytesMax = 4 << 10
  /// A member waits for two attempts at most.
  private static let timeoutMax = 10
  private static let messagesPerHourRange = 10...1_000_000

  /// Returns what is wrong with the setting.
  func faults(at field: String) -> [String] {
    var wrong: [String] = []
    if !TokenIssuerSetting.isTrustworthy(url) {
      wrong.append("\(field).url: https, or http of a loopback address")
    }
    if !text.contains("{code}") || text.count > Self.textMax
      || text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    {
      wrong.append("\(field).text: one line with {code}, \(Self.textMax) characters at most")
    }
    if !(1...Self.timeoutMax).contains(timeoutSeconds) {
      wrong.append("\(field).timeout_seconds: 1 to \(Self.timeoutMax)")
    }
    if !Self.messagesPerHourRange.contains(messagesPerHour) {
      let range = Self.messagesPerHourRange
      wrong.append("\(field).messages_per_hour: \(range.lowerBound) to \(range.upperBound)")
    }
    return wrong
  }

  /// Returns a fault for each file that cannot be used.
  func fileFaults(at field: String) -> [String] {
    var faults = Faults()
    _ = faults.catching("\(field).token_file") { try token() }
    if !authorityFile.isEmpty {
      let pem = FileManager.default.contents(atPath: authorityFile) ?? Data()
      if pem.range(of: Data("-----BEGIN CERTIFICATE-----".utf8)) == nil {
        faults.add(["\(field).authority_file: \(authorityFile): no certificates in PEM"])
      }
    }
    return faults.texts
  }

  /// Reads the token; empty for none.
  ///
  /// - Throws: ``ConfigurationError``.
  func token() throws -> String {
    guard !tokenFile.isEmpty else { return "" }
    guard let content = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
      throw ConfigurationError("\(tokenFile): the token cannot be read")
    }
    let token = content.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !token.isEmpty, token.utf8.count <= Self.tokenBytesMax,
      token.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { throw ConfigurationError("\(tokenFile): a token is one line of ASCII without blanks") }
    return token
  }

  /// The text of a message.
  func message(_ code: String, minutes: Int64) -> String {
    text.replacing("{minutes}", with: String(minutes)).replacing("{code}", with: code)
  }
}
