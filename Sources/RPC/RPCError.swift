/// The failure of a call: what a handler throws to respond with a status, and what a client call
/// throws.
///
/// There is no OK code: a call that succeeds does not throw.
/// Source: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
public struct RPCError: Error, Sendable, Hashable {
  /// The status codes; the raw value is that of `grpc-status`.
  public enum Code: Int, Sendable, CaseIterable {
    case cancelled = 1
    case unknown
    case invalidArgument
    case deadlineExceeded
    case notFound
    case alreadyExists
    case permissionDenied
    case resourceExhausted
    case failedPrecondition
    case aborted
    case outOfRange
    case unimplemented
    case internalError
    case unavailable
    case dataLoss
    case unauthenticated
  }

  /// The status code.
  public var code: Code
  /// A message for developers, in UTF-8; it travels percent-encoded in `grpc-message`.
  public var message: String
  /// A serialized `google.rpc.Status` for `grpc-status-details-bin`; opaque to this module.
  public var details: [UInt8]
  /// Trailing metadata, to be sent or received with the status.
  public var metadata: Metadata
  /// Whether the peer sent this status; false if it was created on this side.
  public var isRemote: Bool

  public init(
    _ code: Code, _ message: String, details: [UInt8] = [], metadata: Metadata = [:],
    isRemote: Bool = false
  ) {
    self.code = code
    self.message = message
    self.details = details
    self.metadata = metadata
    self.isRemote = isRemote
  }
}

extension RPCError {
  /// The error of a connection that buffers too many bytes of incomplete messages.
  package static let tooMuchHeld = RPCError(
    .resourceExhausted, "too many messages of this connection are not whole")
}

extension RPCError: CustomStringConvertible {
  public var description: String {
    "\(code.name): \(message)\(isRemote ? " (from the peer)" : "")"
  }
}

extension RPCError.Code {
  /// The name in gRPC's documents: `DEADLINE_EXCEEDED`.
  public var name: String {
    switch self {
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internalError: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}
