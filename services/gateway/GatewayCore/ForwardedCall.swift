import Metrics
import RPC
import ServiceKit
import Synchronization

/// One call between a caller and a service, forwarded in a task: request and response pass through
/// unchanged, with backpressure and cancellation both ways.
///
/// Memory per call is bounded by one stream window and one outbound queue on either side.
final class ForwardedCall: Sendable {
  /// The outcome of a call.
  enum Outcome: Sendable {
    /// The service's status was passed on; nil is OK.
    case passed(RPCError.Code?)
    /// The caller cancelled or disconnected.
    case callerGone
    /// The gateway has yet to answer with this failure.
    case failed(any ServiceFailure)

    /// Overload that lets a ``GatewayFailure`` be written by its case name.
    static func failed(_ failure: GatewayFailure) -> Outcome {
      .failed(failure as any ServiceFailure)
    }
  }

  /// Time after its deadline at which a caller that reads nothing is given up.
  static let overdueMax = Duration.seconds(1)

  private let caller: ServerExchange
  private let route: Route
  private let inward: RequestHead
  private let deadline: Deadline?
  private let reading: AnswerReading
  private let messageBytesMax: Int
  private let notice: LimitNotice?
  private let traceID: TraceID?
  private let progress: Mutex<Progress>

  private struct Progress {
    /// What was read of the request; its body is dropped when the response begins.
    var request: ForwardedRequest
    /// The failure with which the gateway itself ended the call, if it did.
    var refusal: (any ServiceFailure)?
    /// The exchange with the service, once it is open.
    var service: ClientExchange?
  }

  /// - Parameters:
  ///   - inward: The head as the service gets it, without what changes with each attempt.
  ///   - deadline: The caller's deadline.
  ///   - request: What was read of the request already, if anything.
  ///   - notice: The rate limit fields to add to the response head.
  ///   - traceID: The trace id to add to the response head.
  init(
    _ caller: ServerExchange, by route: Route, _ inward: RequestHead, deadline: Deadline?,
    messageBytesMax: Int, request: ForwardedRequest? = nil, notice: LimitNotice? = nil,
    traceID: TraceID?
  ) {
    self.caller = caller
    self.route = route
    self.inward = inward
    self.deadline = deadline
    reading = AnswerReading(service: route.backend.name, deadline: deadline)
    self.messageBytesMax = messageBytesMax
    self.notice = notice
    self.traceID = traceID
    progress = Mutex(
      Progress(request: request ?? ForwardedRequest(messageBytesMax: messageBytesMax)))
  }

  private var backend: Backend { route.backend }

  /// Forwards the call to its end. On the caller's loop. A ``Outcome/failed(_:)`` has not been sent
  /// to the caller yet.
  func run() async -> Outcome {
    do {
      guard add(try caller.inbox.takeRequestPart()) else { return .failed(tooLarge) }
      if route.traits.takesOneMessage, !request.part.isEnd {
        caller.exchange.awaitsRequest = true
        guard try await gather() else { return .failed(tooLarge) }
      }
    } catch {
      return error.code == .deadlineExceeded ? .failed(.deadlineExceeded) : .callerGone
    }
    watchDeadline()
    if route.traits.isEndless { caller.onDrain { self.refuse(CommonFailure.shuttingDown) } }
    return await send()
  }

  /// Sends what was read of the request, again where a retry is allowed, and forwards the rest.
  ///
  /// - Parameter first: The outcome of the first attempt, if ``DirectCall`` made it.
  func send(after first: Opened? = nil) async -> Outcome {
    if first == nil { backend.budget.deposit() }
    var resending = Resending(isIdempotent: route.traits.isIdempotent)
    var backends: [BackendID] = []
    var opened = first
    // Whether the service may have processed an attempt.
    var isDoubtful = false
    while true {
      let attempt: Opened
      if let made = opened.take() {
        attempt = made
      } else {
        attempt = await open(request, previous: resending.attempts - 1, after: backends)
      }
      switch attempt {
      case .over(let outcome): return settled(outcome, isDoubtful)
      case .streaming(let service): opened = await pump(service)
      case .answering(let service, let part):
        return await pumpResponse(service, first: part)
      case .unanswered(let failure, let tried, let last):
        if let tried { backends.append(tried) }
        if failure != .unprocessed { isDoubtful = true }
        let verdict = resending.verdict(
          on: failure, mayRetry: backend.budget.withdraw, random: { .random(in: 0..<1) })
        guard await waits(verdict) else { return settled(await end(last), isDoubtful) }
        backend.retries.increment()
      }
    }
  }

  /// Returns the outcome of all attempts: the last one may not have reached the service, but
  /// "nothing was done" is true only if no earlier one has.
  private func settled(_ outcome: Outcome, _ isDoubtful: Bool) -> Outcome {
    guard isDoubtful, case .failed(let failure) = outcome else { return outcome }
    switch failure as? GatewayFailure {
    case .backendUnavailable, .backendBusy: return .failed(.backendLost(service: backend.name))
    default: return outcome
    }
  }

  private var request: ForwardedRequest { progress.withLock { $0.request } }

  /// Adds what was read of the request; returns false where a message exceeds the limit.
  private func add(_ part: ExchangePart) -> Bool { progress.withLock { $0.request.add(part) } }

  /// Reads the rest of a request of one message, as far as it is kept.
  ///
  /// - Returns: Whether the message is within the size limit.
  private func gather() async throws(RPCError) -> Bool {
    let inbox = caller.inbox
    if let deadline {
      caller.exchange.setTimer(deadline) {
        inbox.fail(RPCError(.deadlineExceeded, "the deadline has passed"))
      }
    }
    while !request.isEnough {
      guard add(try await inbox.nextRequestPart()) else { return false }
    }
    return true
  }

  /// Waits before the next attempt; returns false where there is to be none.
  private func waits(_ verdict: Resending.Verdict) async -> Bool {
    switch verdict {
    case .giveUp: return false
    case .atOnce: return !Task.isCancelled
    case .after(let pause):
      if let deadline, deadline.remaining <= pause { return false }
      // A real sleep between attempts.
      return (try? await Task.sleep(for: pause)) != nil
    }
  }

  // MARK: - Opening

  enum Opened {
    /// The call has ended.
    case over(Outcome)
    /// No response began, and the request can be sent again; `Last` applies if it is not.
    case unanswered(Resending.Failure, BackendID?, Last)
    /// The request is not complete; the rest is to be forwarded.
    case streaming(ClientExchange)
    /// The complete request was sent, and the first part of the response is here.
    case answering(ClientExchange, ExchangePart)
  }

  /// The caller's response when no attempt is left.
  enum Last {
    case outcome(Outcome)
    /// The service's own response.
    case refusal(ClientExchange, ExchangePart)
  }

  private func end(_ last: Last) async -> Outcome {
    if Task.isCancelled { return .callerGone }
    switch last {
    case .outcome(let outcome): return outcome
    case .refusal(let service, let part): return await pumpResponse(service, first: part)
    }
  }

  /// Opens the exchange and sends the buffered part of the request. If that is all of it, the first
  /// part of the response is awaited in the same step.
  private func open(
    _ request: ForwardedRequest, previous: Int, after backends: [BackendID]
  ) async -> Opened {
    let head = InwardHead.attempt(inward, deadline, previous: previous)
    var options = request.options(deadline, for: caller)
    options.previousBackends = backends
    do {
      return try await backend.channel.openExchange(head, options: options) { service in
        if let refusal = self.opened(service) {
          service.exchange.reset(.cancel)
          return .over(.failed(refusal))
        }
        service.exchange.send(request.part)
        guard request.part.isEnd else { return .streaming(service) }
        do throws(RPCError) {
          let part = try await service.inbox.nextPart(expectsHead: true)
          return part.isRefusal
            ? .unanswered(.refused, service.backend, .refusal(service, part))
            : .answering(service, part)
        } catch {
          service.exchange.reset(.cancel)
          return self.unanswered(error, service)
        }
      }
    } catch let error as RPCError {
      return .over(outcome(ofOpening: error))
    } catch {
      return .over(.callerGone)
    }
  }

  /// Returns how to proceed with a call that ended before its response began.
  private func unanswered(_ error: RPCError, _ service: ClientExchange) -> Opened {
    let reason = service.inbox.closeReason
    let outcome = outcome(of: error)
    guard let (failure, last) = reading.resendable(error, reason) else { return .over(outcome) }
    // A call that the gateway itself refused is not retried.
    if reason?.isUnseen != true, refusal != nil { return .over(outcome) }
    return .unanswered(failure, service.backend, .outcome(.failed(last)))
  }

  // MARK: - Pumping

  /// Forwards the rest of the request, and the response. A call that was certainly not processed
  /// begins anew, as long as everything that was read of its request is kept.
  private func pump(_ service: ClientExchange) async -> Opened {
    let outcome = await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.pumpRequest(service) }
      let outcome = await pumpResponse(service, first: nil)
      // The response is over: the rest of the request is of no use to this attempt.
      group.cancelAll()
      return outcome
    }
    let reason = await service.exchange.onLoop { service.inbox.closeReason }
    guard reason?.isUnseen == true, request.isKept else { return .over(outcome) }
    return .unanswered(.unprocessed, service.backend, .outcome(outcome))
  }

  private func pumpRequest(_ service: ClientExchange) async {
    let exchange = service.exchange
    do {
      try await exchange.onLoop { try await exchange.waitToTakeMore() }
      while true {
        let part = try await caller.exchange.onLoop {
          try await caller.inbox.nextRequestPart()
        }
        guard add(part) else { return refuse(tooLarge) }
        try await exchange.onLoop {
          exchange.send(part)
          if !part.isEnd { try await exchange.waitToTakeMore() }
        }
        if part.isEnd { return }
      }
    } catch {
      // The caller cancelled or stopped sending, or the response is complete.
      if (error as? RPCError)?.code == .deadlineExceeded {
        return refuse(GatewayFailure.deadlineExceeded)
      }
      await abandon(service)
    }
  }

  private func pumpResponse(_ service: ClientExchange, first: ExchangePart?) async -> Outcome {
    var expectsHead = true
    var next = first
    do {
      while true {
        var part: ExchangePart
        if let taken = next {
          part = taken
          next = nil
        } else {
          let expects = expectsHead
          part = try await service.exchange.onLoop {
            try await service.inbox.nextPart(expectsHead: expects)
          }
        }
        if let fault = part.head.flatMap(reading.fault(ofHead:)) {
          await abandon(service)
          return .failed(fault)
        }
        if let notice { part.head?.add(contentsOf: notice.fields) }
        TraceField.add(traceID, to: &part.head)
        if part.isEnd { return await end(part) }
        if expectsHead { progress.withLock { $0.request.forget() } }
        expectsHead = false
        try await caller.exchange.pass(part)
      }
    } catch {
      let isUnseen = await abandon(service)?.isUnseen == true
      if Task.isCancelled { return .callerGone }
      if isUnseen, expectsHead { return .failed(.backendUnavailable(service: backend.name)) }
      return outcome(of: error as? RPCError ?? RPCError(.cancelled, "\(error)"))
    }
  }

  /// Passes the last part on if it holds a status. Otherwise passes on what precedes the end, and
  /// returns the failure to answer with.
  private func end(_ part: ExchangePart) async -> Outcome {
    switch reading.end(of: part) {
    case .passed(let code):
      try? await caller.exchange.pass(part)
      return .passed(code)
    case .failed(let failure):
      if let rest = part.withoutEnd { try? await caller.exchange.pass(rest) }
      return .failed(failure)
    }
  }

  // MARK: - Ends

  /// Ends the call with a failure if it has not ended yet; the first refusal wins. Safe to call
  /// from any task or thread.
  func refuse(_ failure: any ServiceFailure) {
    let service = progress.withLock { progress in
      if progress.refusal == nil { progress.refusal = failure }
      return progress.service
    }
    guard let service else { return }
    service.exchange.loop.execute { service.abandon(.givenUp) }
  }

  /// Records the service's exchange; returns a refusal that came before it.
  private func opened(_ service: ClientExchange) -> (any ServiceFailure)? {
    progress.withLock { progress in
      progress.service = service
      return progress.refusal
    }
  }

  /// Resets the service's exchange unless it is closed; tasks that read it wake at once.
  ///
  /// - Returns: The reason for which it was closed before, if it was.
  @discardableResult
  private func abandon(_ service: ClientExchange) async -> CloseReason? {
    await service.exchange.onLoop {
      service.abandon(.givenUp)
      return service.inbox.closeReason
    }
  }

  /// Resets a caller that does not read some time after its deadline, as it would hold the call for
  /// ever. A caller that reads gets DEADLINE_EXCEEDED from the pump.
  private func watchDeadline() {
    guard let deadline else { return }
    let exchange = caller.exchange
    exchange.setTimer(Deadline(deadline.instant + Self.overdueMax)) { exchange.reset(.cancel) }
  }

  private var tooLarge: GatewayFailure { .messageTooLarge(bytesMax: messageBytesMax) }

  private var refusal: (any ServiceFailure)? { progress.withLock { $0.refusal } }

  /// Maps an error on an open exchange to the caller's outcome.
  private func outcome(of error: RPCError) -> Outcome {
    if let refusal { return .failed(refusal) }
    if error.code == .cancelled, Task.isCancelled { return .callerGone }
    return .failed(reading.failure(of: error))
  }

  /// Maps an error while opening the exchange to the caller's outcome.
  private func outcome(ofOpening error: RPCError) -> Outcome {
    reading.failure(ofOpening: error).map { .failed($0) } ?? .callerGone
  }
}

extension RPCError {
  /// The error of a pending read on an abandoned exchange.
  static let givenUp = RPCError(.cancelled, "the call was given up")
}
