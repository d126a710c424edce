/// An HTTP/2 error code: why a stream or a connection ended. Source: RFC 9113, section 7.
public struct ErrorCode: RawRepresentable, Sendable, Hashable {
  /// The code as on the wire.
  public let rawValue: UInt32

  /// Creates the code with that number, known or not.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// NO_ERROR: a graceful end.
  public static let noError = ErrorCode(rawValue: 0)
  /// PROTOCOL_ERROR: a protocol violation without a code of its own.
  public static let protocolError = ErrorCode(rawValue: 1)
  /// INTERNAL_ERROR: an unexpected error of the endpoint.
  public static let internalError = ErrorCode(rawValue: 2)
  /// FLOW_CONTROL_ERROR: a violation of the flow-control protocol.
  public static let flowControlError = ErrorCode(rawValue: 3)
  /// SETTINGS_TIMEOUT: SETTINGS was not acknowledged in time.
  public static let settingsTimeout = ErrorCode(rawValue: 4)
  /// STREAM_CLOSED: a frame for a stream that was half-closed.
  public static let streamClosed = ErrorCode(rawValue: 5)
  /// FRAME_SIZE_ERROR: a frame of an invalid size.
  public static let frameSizeError = ErrorCode(rawValue: 6)
  /// REFUSED_STREAM: a stream refused before any processing.
  public static let refusedStream = ErrorCode(rawValue: 7)
  /// CANCEL: the stream is no longer needed.
  public static let cancel = ErrorCode(rawValue: 8)
  /// COMPRESSION_ERROR: the field section compression cannot be maintained.
  public static let compressionError = ErrorCode(rawValue: 9)
  /// CONNECT_ERROR: the connection of a CONNECT request was reset or closed.
  public static let connectError = ErrorCode(rawValue: 10)
  /// ENHANCE_YOUR_CALM: the peer causes excessive load.
  public static let enhanceYourCalm = ErrorCode(rawValue: 11)
  /// INADEQUATE_SECURITY: the connection's security is not sufficient.
  public static let inadequateSecurity = ErrorCode(rawValue: 12)
  /// HTTP_1_1_REQUIRED: the endpoint requires HTTP/1.1 instead.
  public static let http11Required = ErrorCode(rawValue: 13)

  /// Whether a reset with this code means that the peer broke the protocol. A stream that is
  /// refused or abandoned for local reasons is reset with other codes.
  var blamesPeer: Bool {
    switch self {
    case .protocolError, .flowControlError, .streamClosed, .frameSizeError, .compressionError: true
    default: false
    }
  }
}
