/// Why an exchange was reset. Source: RFC 9113, section 7.
public struct ResetCode: RawRepresentable, Sendable, Hashable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The codes that gRPC gives a meaning, by their names in RFC 9113.
  public static let noError = ResetCode(rawValue: 0)
  public static let protocolError = ResetCode(rawValue: 1)
  public static let internalError = ResetCode(rawValue: 2)
  public static let refusedStream = ResetCode(rawValue: 7)
  public static let cancel = ResetCode(rawValue: 8)
  public static let enhanceYourCalm = ResetCode(rawValue: 11)
  public static let inadequateSecurity = ResetCode(rawValue: 12)
}
