import RPC

/// Decides the outcome of a forwarded call from the backend's response, or from how its stream
/// ended. A pure value.
struct AnswerReading: Sendable {
  /// Time by which a service's deadline is shorter than its caller's, at most.
  private static let shavedMax = Duration.milliseconds(20)

  /// Name of the service.
  let service: String
  /// The caller's.
  let deadline: Deadline?

  /// How an answer ended.
  enum End: Sendable {
    /// With that status, to be passed on; nil is OK.
    case passed(RPCError.Code?)
    case failed(GatewayFailure)
  }

  /// What is wrong with the head of an answer.
  func fault(ofHead head: HeaderList) -> GatewayFailure? {
    StatusFields.refusal(ofHead: head).map { .backendBroken(service: service, $0.code) }
  }

  /// Reads the last part of an answer.
  func end(of part: ExchangePart) -> End {
    switch (part.trailers ?? (part.isHeadOnly ? part.head : nil)).map(StatusFields.parse) {
    case .ok: .passed(nil)
    case .failed(let error): isDeadline(error) ? .failed(.deadlineExceeded) : .passed(error.code)
    case .missing, nil: .failed(.backendBroken(service: service, .unknown))
    }
  }

  /// Whether a service's runtime said, without details, that the deadline passed which the gateway
  /// gave it. Then reason and text come from here.
  private func isDeadline(_ error: RPCError) -> Bool {
    guard error.code == .deadlineExceeded, error.details.isEmpty, let deadline else { return false }
    return deadline.remaining <= Self.shavedMax
  }

  /// What an error on an open exchange means.
  func failure(of error: RPCError) -> GatewayFailure {
    switch error.code {
    case .deadlineExceeded: .deadlineExceeded
    case .unavailable: .backendLost(service: service)
    default: .backendBroken(service: service, error.code)
    }
  }

  /// What an error before there was an exchange means; nil where the caller is gone.
  func failure(ofOpening error: RPCError) -> GatewayFailure? {
    switch error.code {
    case .cancelled: nil
    case .deadlineExceeded: .deadlineExceeded
    case .resourceExhausted: .backendBusy(service: service)
    default: .backendUnavailable(service: service)
    }
  }

  /// Whether a call may be sent again whose exchange ended so before its answer began.
  func resendable(
    _ error: RPCError, _ reason: CloseReason?
  ) -> (failure: Resending.Failure, last: GatewayFailure)? {
    switch reason {
    case .unprocessed: (.unprocessed, .backendUnavailable(service: service))
    case .connectionLost, .reset:
      error.code == .unavailable ? (.lost, .backendLost(service: service)) : nil
    case .completed, nil: nil
    }
  }
}
