import RPC
import ServiceKit

/// A call that is forwarded without a task: the listener of both exchanges, which are on one event
/// loop, passes parts on as they arrive, with backpressure and cancellation both ways.
///
/// Where the call has to wait for anything else, a connection or another attempt, it hands over to
/// a ``ForwardedCall`` in a task. Memory is bounded as there.
///
/// Guard: all mutable state is confined to the caller's event loop.
final class DirectCall: ExchangeListener, @unchecked Sendable {
  private let caller: ServerExchange
  private let admission: Admission
  private let route: Route
  private let inward: RequestHead
  private let deadline: Deadline?
  private let reading: AnswerReading
  private let notice: LimitNotice?
  private let messageBytesMax: Int
  private let metered: ServerMetrics.Call?
  private let gateway: Gateway
  @exclusivity(unchecked) private var record: CallRecord
  @exclusivity(unchecked) private var request: ForwardedRequest
  /// The exchange with the service, once it is open.
  @exclusivity(unchecked) private var service: ClientExchange?
  /// Whether the response head was passed on.
  @exclusivity(unchecked) private var hasAnswer = false
  @exclusivity(unchecked) private var isOver = false
  /// The call that took over, if any.
  @exclusivity(unchecked) private var successor: ForwardedCall?
  @exclusivity(unchecked) private var watching: CallerResolver.Watching?

  /// - Parameters:
  ///   - admission: If the caller is limited, its meter has been begun; this call ends it.
  ///   - inward: The head as the service gets it, without what changes with each attempt.
  ///   - notice: The rate limit fields to add to the response head.
  init(
    _ caller: ServerExchange, _ admission: Admission, _ inward: RequestHead, in gateway: Gateway,
    messageBytesMax: Int, notice: LimitNotice?
  ) {
    self.caller = caller
    self.admission = admission
    self.inward = inward
    self.gateway = gateway
    self.messageBytesMax = messageBytesMax
    self.notice = notice
    route = admission.route
    deadline = caller.head.timeout.map { Deadline.after($0) }
    reading = AnswerReading(service: route.backend.name, deadline: deadline)
    request = ForwardedRequest(messageBytesMax: messageBytesMax)
    record = CallRecord(like: admission.record)
    metered = admission.metrics?.begin()
  }

  /// Starts the call, before any of the body was read. On the loop.
  func begin() {
    caller.exchange.listener = self
    if let proven = admission.proven, proven.held != nil {
      let loop = caller.exchange.loop
      watching = gateway.callers.watch(proven, isUnary: route.isUnary) { [self] in
        loop.execute { self.refuse(CommonFailure.callerUnproven) }
      }
    }
    if route.traits.isEndless {
      let loop = caller.exchange.loop
      caller.onDrain { loop.execute { self.refuse(CommonFailure.shuttingDown) } }
    }
    guard route.traits.takesOneMessage else { return open() }
    caller.exchange.awaitsRequest = true
    // A request of one message is buffered until it is complete, so that it can be sent again.
    guard let deadline else { return }
    let inbox = caller.inbox
    caller.exchange.setTimer(deadline) {
      inbox.fail(RPCError(.deadlineExceeded, "the deadline has passed"))
    }
  }

  func exchangeChanged(_ exchange: Exchange) {
    guard !isOver, successor == nil else { return }
    passRequest()
    if !isOver, successor == nil { passResponse() }
  }

  // MARK: - Request

  private func passRequest() {
    if caller.exchange.state.isClosed { return end(.callerGone) }
    guard !request.part.isEnd, service?.exchange.takesMore ?? true else { return }
    let part: ExchangePart
    do {
      part = try caller.inbox.takeRequestPart()
    } catch {
      return end(error.code == .deadlineExceeded ? .failed(.deadlineExceeded) : .callerGone)
    }
    guard !part.isEmpty else { return }
    guard request.add(part) else {
      return end(.failed(.messageTooLarge(bytesMax: messageBytesMax)))
    }
    if let service {
      service.exchange.send(part)
    } else if request.isEnough {
      open()
    }
  }

  private func open() {
    if let deadline {
      // As in ``ForwardedCall``: a caller that does not read is given up some time after its
      // deadline.
      let exchange = caller.exchange
      exchange.setTimer(Deadline(deadline.instant + ForwardedCall.overdueMax)) {
        exchange.reset(.cancel)
      }
    }
    let head = InwardHead.attempt(inward, deadline)
    let opened = try? route.backend.loopChannel?.openExchange(
      head, options: request.options(deadline, for: caller), on: caller.exchange.loop)
    guard let opened else { return goOn(after: nil) }
    route.backend.budget.deposit()
    service = opened
    opened.exchange.listener = self
    if !request.part.isEmpty { opened.exchange.send(request.part) }
  }

  // MARK: - Response

  private func passResponse() {
    guard let service, caller.exchange.isWritable else { return }
    var part: ExchangePart
    do {
      part = try service.inbox.takePart(expectsHead: !hasAnswer)
    } catch {
      return failed(error, service)
    }
    guard !part.isEmpty else { return }
    if !hasAnswer {
      if request.isWhole, part.isRefusal {
        return goOn(after: .unanswered(.refused, service.backend, .refusal(service, part)))
      }
      if let fault = part.head.flatMap(reading.fault(ofHead:)) { return end(.failed(fault)) }
      if let notice { part.head?.add(contentsOf: notice.fields) }
      TraceField.add(record.traceID, to: &part.head)
    }
    guard part.isEnd else {
      if !hasAnswer {
        hasAnswer = true
        request.forget()
      }
      caller.exchange.send(part)
      // The service's exchange may have failed already; no further event would report it.
      if service.inbox.failure != nil { passResponse() }
      return
    }
    switch reading.end(of: part) {
    case .passed(let code):
      caller.exchange.send(part)
      end(.passed(code))
    case .failed(let failure):
      if let rest = part.withoutEnd { caller.exchange.send(rest) }
      end(.failed(failure))
    }
  }

  private func failed(_ error: RPCError, _ service: ClientExchange) {
    let reason = service.inbox.closeReason
    if !hasAnswer, let (failure, last) = reading.resendable(error, reason) {
      // A call that was certainly not processed begins anew although its request goes on.
      if request.isWhole || request.isKept && failure == .unprocessed {
        return goOn(after: .unanswered(failure, service.backend, .outcome(.failed(last))))
      }
      return end(.failed(last))
    }
    end(.failed(reading.failure(of: error)))
  }

  // MARK: - Ends

  /// Ends the call with a failure. On the loop.
  private func refuse(_ failure: any ServiceFailure) {
    if let successor { return successor.refuse(failure) }
    if !isOver { end(.failed(failure)) }
  }

  private func end(_ outcome: ForwardedCall.Outcome) {
    isOver = true
    caller.exchange.listener = nil
    if let service {
      service.exchange.listener = nil
      service.abandon(.givenUp)
    }
    close(outcome)
  }

  /// Continues in a task: after an attempt made here, or before the first one.
  private func goOn(after attempt: ForwardedCall.Opened?) {
    caller.exchange.listener = nil
    service?.exchange.listener = nil
    // The memo is confined to this loop; the task may use a connection of another one.
    var plain = inward
    plain.memo = nil
    let call = ForwardedCall(
      caller, by: route, plain, deadline: deadline, messageBytesMax: messageBytesMax,
      request: request, notice: notice, traceID: record.traceID)
    successor = call
    // If nothing was read yet, the task starts with whatever has arrived by then.
    let isNew = attempt == nil && request.part.isEmpty
    request.forget()
    runTask { [self] in
      close(isNew ? await call.run() : await call.send(after: attempt))
    }
  }

  /// Runs a task that is cancelled when the caller goes away.
  private func runTask(_ body: @escaping @Sendable () async -> Void) {
    let task = Task(executorPreference: caller.exchange.loop) { await body() }
    if caller.exchange.state.isClosed { return task.cancel() }
    caller.inbox.onClosed = { reason in
      // A completed exchange may still have work to do after its last byte.
      if reason != .completed { task.cancel() }
    }
  }

  /// Ends the call's meter and answers a failure. On the loop.
  private func close(_ outcome: ForwardedCall.Outcome) {
    if let watching { gateway.callers.stop(watching) }
    watching = nil
    admission.meter?.end()
    switch outcome {
    case .passed(let code): tell(code, unless: FaceFailure.noted(of: caller))
    case .callerGone: tell(.cancelled, unless: FaceFailure.noted(of: caller))
    case .failed(let failure):
      runTask { [self] in
        var record = record
        await gateway.answer(caller, failure, &record)
        self.record = record
        tell(record.code)
      }
    }
  }

  private func tell(_ code: RPCError.Code?, unless told: (any Error)? = nil) {
    record.end(code, unless: told)
    metered?.end(record.code)
    admission.tally?.count(record.code)
    gateway.ended(record)
    caller.ended()
  }
}
