/// The HTTP/2 error code with which an exchange was reset. Source: RFC 9113, section 7.
public struct ResetCode: RawRepresentable, Sendable, Hashable {
  /// The code as on the wire.
  public let rawValue: UInt32

  /// Creates the code with that number, known or not.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// NO_ERROR: the stream ends without an error.
  public static let noError = ResetCode(rawValue: 0)
  /// PROTOCOL_ERROR: the peer violated the protocol.
  public static let protocolError = ResetCode(rawValue: 1)
  /// INTERNAL_ERROR: an unexpected error of the endpoint.
  public static let internalError = ResetCode(rawValue: 2)
  /// REFUSED_STREAM: the stream was refused before any processing.
  public static let refusedStream = ResetCode(rawValue: 7)
  /// CANCEL: the stream is no longer needed.
  public static let cancel = ResetCode(rawValue: 8)
  /// ENHANCE_YOUR_CALM: the peer causes excessive load.
  public static let enhanceYourCalm = ResetCode(rawValue: 11)
  /// INADEQUATE_SECURITY: the connection's security is not sufficient.
  public static let inadequateSecurity = ResetCode(rawValue: 12)
}
