/// The outcome of an attempt of a call with a single response.
enum UnaryOutcome: Sendable {
  case response(UnaryAnswer)
  /// It failed before a response began, so the call may be retried.
  case failed(AttemptFailure)
  /// It failed after that, and so does the call.
  case broken(RPCError)
}

extension Channel {
  /// Makes a call with one request and one response, in the attempts that its plan allows. Hedged
  /// calls, whose attempts overlap, are `ClientCall`s instead.
  func unary(
    _ plan: CallPlan, _ request: [UInt8]
  ) async throws -> UnaryAnswer {
    let framed = try plan.pack(request)
    // A request larger than the retry buffer is sent once.
    var state = AttemptState(framed.count > plan.retryBytesMax ? .once : plan.execution)
    var previous = 0
    var backends: [BackendID] = []
    while true {
      let outcome: UnaryOutcome
      var tried: BackendID?
      do {
        outcome = try await plan.open(
          self, attempt: state.count, previous: previous, after: backends
        ) { client in
          tried = client.backend
          client.exchange.sendBody(framed)
          client.exchange.sendEnd(.none)
          return await client.collect()
        }
      } catch let error as RPCError {
        outcome = .failed(AttemptFailure(error))
      }
      switch outcome {
      case .response(let response):
        plan.throttle?.succeeded()
        return response
      case .broken(let error): throw error
      case .failed(let failure):
        previous = try await plan.again(after: failure, &state)
        if let tried { backends.append(tried) }
      }
    }
  }
}

extension CallPlan {
  /// Waits until the next attempt is due.
  /// - Returns: The number of attempts before it.
  /// - Throws: The failure, if there is no next attempt.
  fileprivate nonisolated(nonsending) func again(
    after failure: AttemptFailure, _ state: inout AttemptState
  ) async throws -> Int {
    let failure = dated(failure)
    if Task.isCancelled { throw failure.error }
    var action = apply(failure, of: state.count, to: &state)
    if case .schedule(let wait) = action {
      try await pause(wait)
      action = state.apply(.due(isThrottled: false))
    }
    guard case .start(let previous, _) = action else { throw failure.error }
    return previous
  }
}

extension ClientExchange {
  /// Waits for the response head and throws if it is not gRPC's. Call on the loop.
  nonisolated(nonsending) func checkHead() async throws(RPCError) {
    let head = try await inbox.waitForHead()
    if let error = StatusFields.refusal(ofHead: head) { throw error }
  }

  /// Waits for a response head that is not a failure by itself. Call on the loop.
  nonisolated(nonsending) func waitForAnswer() async throws(AttemptFailure) {
    if let failure = inbox.attemptFailure { throw failure }
    guard inbox.head == nil else { return }
    do throws(RPCError) {
      _ = try await inbox.waitForHead()
    } catch {
      throw inbox.attemptFailure ?? AttemptFailure(error)
    }
    if let failure = inbox.attemptFailure { throw failure }
  }

  /// Receives the whole response with its single message. Call on the loop.
  nonisolated(nonsending) func collect() async -> UnaryOutcome {
    do throws(AttemptFailure) {
      try await waitForAnswer()
    } catch {
      exchange.reset(.cancel)
      return .failed(error)
    }
    do throws(RPCError) {
      return .response(try await response())
    } catch {
      exchange.reset(.cancel)
      return .broken(error)
    }
  }

  /// Returns the message of a response whose head has arrived. Call on the loop.
  nonisolated(nonsending) private func response() async throws(RPCError) -> UnaryAnswer {
    while !inbox.hasEnded {
      if let failure = inbox.failure { throw failure }
      // The end of a response that goes on may never come.
      guard !inbox.hasMoreThanOne else { throw Self.several }
      try await inbox.wait()
    }
    if let failure = inbox.failure ?? inbox.outcome { throw failure }
    guard let framed = try inbox.takeFramed() else {
      throw inbox.isCut ? Self.cut : RPCError(.unimplemented, "the response has no message")
    }
    guard inbox.isAtEnd else { throw inbox.isCut ? Self.cut : Self.several }
    return UnaryAnswer(
      framed: framed, head: inbox.head, end: inbox.trailers,
      wasCompressed: inbox.lastWasCompressed)
  }

  private static var cut: RPCError {
    RPCError(.internalError, "the response ended within a message")
  }

  /// The error of a response with several messages; with none the code is the same.
  /// Source: gRPC's statuscodes.md, response cardinality violation.
  private static var several: RPCError {
    RPCError(.unimplemented, "the response has more than one message")
  }
}

extension Inbox {
  /// The failure of an attempt whose response did not begin; nil if there is none so far.
  var attemptFailure: AttemptFailure? {
    guard let head else {
      return failure.map { AttemptFailure($0, progress: .init(closeReason)) }
    }
    if let error = StatusFields.refusal(ofHead: head) {
      return AttemptFailure(error, pushback: .init(head))
    }
    guard isTrailersOnly, let error = outcome else { return nil }
    return AttemptFailure(error, pushback: .init(head))
  }

  /// The status of a response that has ended; nil is OK. That of a Trailers-Only response is in its
  /// head, any other one behind the body.
  package var outcome: RPCError? {
    StatusFields.outcome(
      head: head, trailers: isTrailersOnly ? nil : trailers ?? HeaderList())
  }

  /// Whether the response is Trailers-Only, so that its head holds the trailing metadata.
  var isTrailersOnly: Bool {
    head != nil && hasEnded && trailers == nil && receivedBytes == 0
  }

  /// The error that ended the exchange; nil while it is open, and after OK.
  var endedWith: RPCError? {
    if let failure { return failure }
    return hasEnded ? outcome : nil
  }
}
