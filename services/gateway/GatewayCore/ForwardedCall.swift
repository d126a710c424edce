import Metrics
import RPC
import ServiceKit
import Synchronization

/// One call between a caller and a service: request and response go through untouched, with
/// backpressure and cancellation both ways.
///
/// Memory of a call is bounded: what one stream window lets in on either side, and one outbound
/// queue on either side.
final class ForwardedCall: Sendable {
  /// How a call ended.
  enum Outcome: Sendable {
    /// The service's answer went through; nil is OK.
    case passed(RPCError.Code?)
    /// The caller gave up or went away.
    case callerGone
    /// The gateway has to answer with this.
    case failed(any ServiceFailure)

    /// The same, so that the gateway's own failures are told by name alone.
    static func failed(_ failure: GatewayFailure) -> Outcome {
      .failed(failure as any ServiceFailure)
    }
  }

  /// What is kept of a request so that it can be sent again; a longer one is sent once.
  static let keptBytesMax = 64 << 10
  /// A caller that takes nothing this long after its own deadline is given up.
  static let overdueMax = Duration.seconds(1)

  private let caller: ServerExchange
  private let route: Route
  private let inward: RequestHead
  private let deadline: Deadline?
  private let reading: AnswerReading
  private let messageBytesMax: Int
  private let notice: LimitNotice?
  private let progress = Mutex(Progress())

  private struct Progress {
    /// Why the gateway itself ended the call, if it did.
    var refusal: (any ServiceFailure)?
    /// The service's side, once it is open.
    var service: ClientExchange?
  }

  /// - Parameters:
  ///   - inward: The head as the service gets it, but for what changes with each attempt.
  ///   - deadline: The caller's.
  ///   - notice: What the answer's head tells of the caller's limits.
  init(
    _ caller: ServerExchange, by route: Route, _ inward: RequestHead, deadline: Deadline?,
    messageBytesMax: Int, notice: LimitNotice? = nil
  ) {
    self.caller = caller
    self.route = route
    self.inward = inward
    self.deadline = deadline
    reading = AnswerReading(service: route.backend.name, deadline: deadline)
    self.messageBytesMax = messageBytesMax
    self.notice = notice
  }

  private var backend: Backend { route.backend }

  /// Forwards the call to its end. On the caller's loop. The caller is still to be told of a
  /// ``Outcome/failed(_:)``.
  func run() async -> Outcome {
    var meter = MessageMeter(messageBytesMax: messageBytesMax)
    var request: ExchangePart
    do {
      request = try caller.inbox.takePart(expectsHead: false)
      guard meter.pass(request.body) else { return .failed(tooLarge) }
      if route.traits.takesOneMessage, !request.isEnd {
        caller.exchange.awaitsRequest = true
        guard try await gather(&request, &meter) else { return .failed(tooLarge) }
      }
    } catch {
      return error.code == .deadlineExceeded ? .failed(.deadlineExceeded) : .callerGone
    }
    watchDeadline()
    return await send(request, meter)
  }

  /// Sends what is at hand of the request, again where that is right, and forwards the rest.
  ///
  /// - Parameter first: How the first attempt went, where another made it.
  func send(
    _ request: ExchangePart, _ meter: MessageMeter, after first: Opened? = nil
  ) async -> Outcome {
    if first == nil { backend.budget.deposit() }
    var resending = Resending(isIdempotent: route.traits.isIdempotent)
    var opened = first
    while true {
      let attempt: Opened
      if let made = opened.take() {
        attempt = made
      } else {
        attempt = await open(request, previous: resending.attempts - 1)
      }
      switch attempt {
      case .failed(let outcome): return outcome
      case .streaming(let service): return await pump(service, meter)
      case .answering(let service, let part):
        return await pumpResponse(service, first: part)
      case .unanswered(let failure, let last):
        let verdict = resending.verdict(
          on: failure, mayRetry: backend.budget.withdraw, random: { .random(in: 0..<1) })
        guard await waits(verdict) else { return await end(last) }
        backend.retries.increment()
      }
    }
  }

  /// Waits for the rest of a request of one message, up to what is kept.
  ///
  /// - Returns: Whether it is within the limit.
  private func gather(
    _ request: inout ExchangePart, _ meter: inout MessageMeter
  ) async throws(RPCError) -> Bool {
    let inbox = caller.inbox
    if let deadline {
      caller.exchange.setTimer(deadline) {
        inbox.fail(RPCError(.deadlineExceeded, "the deadline has passed"))
      }
    }
    while !request.isEnd, request.body.count < Self.keptBytesMax {
      let more = try await inbox.nextPart(expectsHead: false)
      guard meter.pass(more.body) else { return false }
      request.body += more.body
      request.isEnd = more.isEnd
      request.trailers = more.trailers
    }
    return true
  }

  /// Waits as long as a verdict says; false where there is to be no other attempt.
  private func waits(_ verdict: Resending.Verdict) async -> Bool {
    switch verdict {
    case .giveUp: return false
    case .atOnce: return !Task.isCancelled
    case .after(let pause):
      if let deadline, deadline.remaining <= pause { return false }
      // The pause between attempts is time itself.
      return (try? await Task.sleep(for: pause)) != nil
    }
  }

  // MARK: - Opening

  enum Opened {
    case failed(Outcome)
    /// There is no answer, and what was sent can be sent again; the last word if it is not.
    case unanswered(Resending.Failure, Last)
    /// The request goes on.
    case streaming(ClientExchange)
    /// All of the request is sent, and the first of the response is here.
    case answering(ClientExchange, ExchangePart)
  }

  /// What the caller hears where no attempt is left.
  enum Last {
    case outcome(Outcome)
    /// What the service said.
    case refusal(ClientExchange, ExchangePart)
  }

  private func end(_ last: Last) async -> Outcome {
    if Task.isCancelled { return .callerGone }
    switch last {
    case .outcome(let outcome): return outcome
    case .refusal(let service, let part): return await pumpResponse(service, first: part)
    }
  }

  /// Opens the exchange and sends what is at hand of the request. Where that is all of it, the
  /// first of the response is awaited in the same step.
  private func open(_ request: ExchangePart, previous: Int) async -> Opened {
    let head = InwardHead.attempt(inward, deadline, previous: previous)
    do {
      return try await backend.channel.openExchange(
        head, options: ExchangeOptions(deadline: deadline)
      ) { service in
        if let refusal = self.opened(service) {
          service.exchange.reset(.cancel)
          return .failed(.failed(refusal))
        }
        service.exchange.send(request)
        guard request.isEnd else { return .streaming(service) }
        do throws(RPCError) {
          let part = try await service.inbox.nextPart(expectsHead: true)
          return part.isRefusal
            ? .unanswered(.refused, .refusal(service, part)) : .answering(service, part)
        } catch {
          service.exchange.reset(.cancel)
          return self.unanswered(error, service.inbox.closeReason)
        }
      }
    } catch let error as RPCError {
      return .failed(outcome(ofOpening: error))
    } catch {
      return .failed(.callerGone)
    }
  }

  /// What is to be done with a call that ended before its answer began.
  private func unanswered(_ error: RPCError, _ reason: CloseReason?) -> Opened {
    let outcome = outcome(of: error)
    guard let (failure, last) = reading.resendable(error, reason) else { return .failed(outcome) }
    // A refusal of our own is not undone.
    if reason != .unprocessed, refusal != nil { return .failed(outcome) }
    return .unanswered(failure, .outcome(.failed(last)))
  }

  // MARK: - Pumping

  private func pump(_ service: ClientExchange, _ meter: MessageMeter) async -> Outcome {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.pumpRequest(service, meter) }
      let outcome = await pumpResponse(service, first: nil)
      // The response is complete: what is left of the request is of no use.
      group.cancelAll()
      return outcome
    }
  }

  private func pumpRequest(_ service: ClientExchange, _ meter: MessageMeter) async {
    var meter = meter
    do {
      while true {
        let part = try await caller.exchange.onLoop {
          try await caller.inbox.nextPart(expectsHead: false)
        }
        guard meter.pass(part.body) else {
          return refuse(tooLarge)
        }
        try await service.exchange.pass(part)
        if part.isEnd { return }
      }
    } catch {
      // The caller gave up, or gave no more, or the response is complete.
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
        if part.isEnd { return await end(part) }
        expectsHead = false
        try await caller.exchange.pass(part)
      }
    } catch {
      let isUnseen = await abandon(service) == .unprocessed
      if Task.isCancelled { return .callerGone }
      if isUnseen, expectsHead { return .failed(.backendUnavailable(service: backend.name)) }
      return outcome(of: error as? RPCError ?? RPCError(.cancelled, "\(error)"))
    }
  }

  /// Passes the last part on, if it holds a status; else what is before it, and the failure is
  /// still to be told.
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

  /// Ends the call with that failure, if it has not ended yet; the first refusal holds. From any
  /// task or thread.
  func refuse(_ failure: any ServiceFailure) {
    let service = progress.withLock { progress in
      if progress.refusal == nil { progress.refusal = failure }
      return progress.service
    }
    guard let service else { return }
    service.exchange.loop.execute { Self.giveUp(service) }
  }

  /// Notes the service's side; returns the refusal that came before it.
  private func opened(_ service: ClientExchange) -> (any ServiceFailure)? {
    progress.withLock { progress in
      progress.service = service
      return progress.refusal
    }
  }

  /// Gives the service's exchange up, if it still is; whoever reads it wakes at once.
  ///
  /// - Returns: How it had come to its end before, if it had.
  @discardableResult
  private func abandon(_ service: ClientExchange) async -> CloseReason? {
    await service.exchange.onLoop {
      Self.giveUp(service)
      return service.inbox.closeReason
    }
  }

  /// On the service's loop.
  static func giveUp(_ service: ClientExchange) {
    guard !service.exchange.state.isClosed else { return }
    service.inbox.fail(RPCError(.cancelled, "the call was given up"))
    service.exchange.reset(.cancel)
  }

  /// A caller that does not read would hold its call for ever: past its deadline it is given up.
  /// One that reads hears of the deadline from the pump.
  private func watchDeadline() {
    guard let deadline else { return }
    let exchange = caller.exchange
    exchange.setTimer(Deadline(deadline.instant + Self.overdueMax)) { exchange.reset(.cancel) }
  }

  private var tooLarge: GatewayFailure { .messageTooLarge(bytesMax: messageBytesMax) }

  private var refusal: (any ServiceFailure)? { progress.withLock { $0.refusal } }

  /// What an error on an open exchange means to the caller.
  private func outcome(of error: RPCError) -> Outcome {
    if let refusal { return .failed(refusal) }
    if error.code == .cancelled, Task.isCancelled { return .callerGone }
    return .failed(reading.failure(of: error))
  }

  /// What an error before there was an exchange means to the caller.
  private func outcome(ofOpening error: RPCError) -> Outcome {
    reading.failure(ofOpening: error).map { .failed($0) } ?? .callerGone
  }
}
