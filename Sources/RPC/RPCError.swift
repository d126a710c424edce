/// The failure of a call: what a handler throws to respond with a status, and what a client call
/// throws.
///
/// There is no OK code: a call that succeeds does not throw.
/// Source: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
public struct RPCError: Error, Sendable, Hashable {
  /// The status codes; the raw value is that of `grpc-status`.
  public enum Code: Int, Sendable, CaseIterable {
    /// The call was cancelled, usually by its caller.
    case cancelled = 1
    /// An error without a more specific code.
    case unknown
    /// An argument is invalid, whatever the state of the system.
    case invalidArgument
    /// The deadline passed before the call completed.
    case deadlineExceeded
    /// A requested entity was not found.
    case notFound
    /// The entity to create exists already.
    case alreadyExists
    /// The caller may not make this call.
    case permissionDenied
    /// A resource is exhausted, such as a quota or a limit.
    case resourceExhausted
    /// The system is not in the state that the call requires; a retry does not help until it is.
    case failedPrecondition
    /// The call was aborted, usually by a conflict with a concurrent one.
    case aborted
    /// The call goes beyond the valid range, which depends on the state of the system.
    case outOfRange
    /// The method is not implemented or not enabled.
    case unimplemented
    /// An invariant of the system is broken.
    case internalError
    /// The service is unavailable at the moment; a retry with backoff may help.
    case unavailable
    /// Data was lost or corrupted beyond recovery.
    case dataLoss
    /// The call has no valid credentials.
    case unauthenticated
  }

  /// The status code.
  public var code: Code
  /// A message for developers, in UTF-8; it travels percent-encoded in `grpc-message`.
  public var message: String
  /// A serialized `google.rpc.Status` for `grpc-status-details-bin`; opaque to this module. More
  /// than 4,608 bytes are not sent, because other implementations refuse lists of over 8 KiB.
  public var details: [UInt8]
  /// Trailing metadata, to be sent or received with the status.
  public var metadata: Metadata
  /// Whether the peer sent this status; false if it was created on this side.
  public var isRemote: Bool

  /// Creates a status. Of its message no more than 4 KiB are sent.
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
  /// The error of a call whose deadline has passed.
  package static let deadlinePassed = RPCError(.deadlineExceeded, "the deadline has passed")
  /// The error of a request of which nothing has arrived for too long.
  package static let requestStalled = RPCError(
    .deadlineExceeded, "the request did not arrive in time")
}

extension RPCError: CustomStringConvertible {
  /// The code's name, the message and whether the peer sent it: for logs.
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
