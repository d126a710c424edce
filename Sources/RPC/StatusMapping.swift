/// Maps the end of a call to a status where the peer sent none.
/// Source: gRPC's PROTOCOL-HTTP2 (Errors) and http-grpc-status-mapping.
package enum StatusMapping {
  /// Returns the status of a reset stream.
  package static func code(for reset: ResetCode) -> RPCError.Code {
    switch reset {
    case .refusedStream: .unavailable
    case .cancel: .cancelled
    case .enhanceYourCalm: .resourceExhausted
    case .inadequateSecurity: .permissionDenied
    default: .internalError
    }
  }

  /// Returns the status of an HTTP response that is not gRPC's.
  package static func code(forHTTP status: Int) -> RPCError.Code {
    switch status {
    case 400: .internalError
    case 401: .unauthenticated
    case 403: .permissionDenied
    case 404: .unimplemented
    case 429, 502, 503, 504: .unavailable
    default: .unknown
    }
  }

  /// Returns the RST_STREAM code with which a server ends an exchange without a status.
  package static func reset(for code: RPCError.Code) -> ResetCode {
    switch code {
    case .cancelled, .deadlineExceeded: .cancel
    case .unavailable: .refusedStream
    case .resourceExhausted: .enhanceYourCalm
    case .permissionDenied: .inadequateSecurity
    default: .internalError
    }
  }

  /// Returns the error of an exchange that was closed before the peer ended it.
  package static func error(for reason: CloseReason) -> RPCError {
    switch reason {
    case .completed:
      RPCError(.internalError, "the stream was closed before it was complete")
    case .reset(let code):
      RPCError(Self.code(for: code), text(of: code))
    case .unprocessed:
      RPCError(.unavailable, "the server did not take the call")
    case .unsent:
      RPCError(.unavailable, "the connection ended before the call was sent")
    case .connectionLost(let why):
      RPCError(.unavailable, "the connection is lost: \(why)")
    }
  }

  /// Returns the message for a reset stream, with the detail that gRPC asks for where its status
  /// alone does not say what was refused.
  private static func text(of reset: ResetCode) -> String {
    let text = "the stream was reset with code \(reset.rawValue)"
    return switch reset {
    case .enhanceYourCalm: "\(text): the peer has no bandwidth for so much (ENHANCE_YOUR_CALM)"
    case .inadequateSecurity:
      "\(text): the connection is not secure enough for the call (INADEQUATE_SECURITY)"
    default: text
    }
  }
}
