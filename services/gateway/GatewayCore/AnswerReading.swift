import RPC

/// Decides the outcome of a forwarded call from the backend's response, or from how its stream
/// ended. A pure value.
struct AnswerReading: Sendable {
  /// How much earlier than its caller's a service's deadline is, at most (``Deadline/shaved()``).
  private static let shavedMax = Duration.milliseconds(20)

  /// Name of the service, for failures.
  let service: String
  /// The caller's deadline.
  let deadline: Deadline?

  /// The outcome of a complete response.
  enum End: Sendable {
    /// The service's own status, which is passed on; nil is OK.
    case passed(RPCError.Code?)
    /// A failure that the gateway answers with instead.
    case failed(GatewayFailure)
  }

  /// Returns the failure that a malformed response head amounts to; nil for a valid head.
  func fault(ofHead head: HeaderList) -> GatewayFailure? {
    StatusFields.refusal(ofHead: head).map { broken($0.code) }
  }

  /// Returns the outcome that the last part of a response states.
  func end(of part: ExchangePart) -> End {
    switch (part.trailers ?? (part.isHeadOnly ? part.head : nil)).map(StatusFields.parse) {
    case .ok: .passed(nil)
    case .failed(let error): isDeadline(error) ? .failed(.deadlineExceeded) : .passed(error.code)
    case .missing, nil: .failed(broken(.unknown))
    }
  }

  /// Whether a service's runtime reported, without details, that its deadline passed. The gateway
  /// then supplies reason and text.
  private func isDeadline(_ error: RPCError) -> Bool {
    error.code == .deadlineExceeded && error.details.isEmpty && mayBeOverdue
  }

  /// Whether the service's deadline may have passed, which is earlier than the caller's.
  private var mayBeOverdue: Bool { deadline.map { $0.remaining <= Self.shavedMax } ?? false }

  /// Returns the failure of a response that is not gRPC's. A service never sees the caller's
  /// credentials, so a code that finds fault with them would mislead the caller: it is the gateway
  /// that was refused, by the service or by a proxy in front of it.
  private func broken(_ code: RPCError.Code) -> GatewayFailure {
    let isRefusal = code == .unauthenticated || code == .permissionDenied
    return .backendBroken(service: service, isRefusal ? .internalError : code)
  }

  /// Maps an error on an open exchange.
  func failure(of error: RPCError) -> GatewayFailure {
    switch error.code {
    case .deadlineExceeded: .deadlineExceeded
    // Some servers reset a call whose deadline has passed instead of answering it.
    case .cancelled where mayBeOverdue: .deadlineExceeded
    case .unavailable: .backendLost(service: service)
    default: broken(error.code)
    }
  }

  /// Maps an error while opening the exchange; nil where the caller is gone.
  func failure(ofOpening error: RPCError) -> GatewayFailure? {
    switch error.code {
    case .cancelled: nil
    case .deadlineExceeded: .deadlineExceeded
    case .resourceExhausted: .backendBusy(service: service)
    default: .backendUnavailable(service: service)
    }
  }

  /// Classifies the failure of an attempt before its response began; nil where it must not be
  /// retried. `last` is the failure to answer with when no attempt is left.
  func resendable(
    _ error: RPCError, _ reason: CloseReason?
  ) -> (failure: Resending.Failure, last: GatewayFailure)? {
    switch reason {
    case .unprocessed, .unsent: (.unprocessed, .backendUnavailable(service: service))
    case .connectionLost, .reset:
      error.code == .unavailable ? (.lost, .backendLost(service: service)) : nil
    case .completed, nil: nil
    }
  }
}
