import Logging

/// One call on a server: receives the request, runs the handler in a task, and ends in one place.
///
/// Subclasses define how requests are received and what the handler is. Confined to the exchange's
/// loop.
@usableFromInline
class ServerCall: ExchangeSink, @unchecked Sendable {
  // Guard: all mutable state is touched on `exchange.loop` only.

  /// The parts a call is created from.
  struct Setup {
    let exchange: Exchange
    let context: ServerContext
    let server: Dispatcher
    let meters: CallMeters?
  }

  let exchange: Exchange
  @usableFromInline let context: ServerContext
  let server: Dispatcher
  /// Whether the handler was started or is queued to start.
  @exclusivity(unchecked) private var isStarted = false
  /// Whether the handler was called, by the innermost interceptor.
  @exclusivity(unchecked) private var isInvoked = false
  /// The task that runs the handler, while it does.
  @exclusivity(unchecked) private var worker: CallWorkers.Worker?
  @exclusivity(unchecked) private(set) var hasEnded = false
  /// The framed response of a call with a single one, held back until the interceptors have
  /// returned.
  @exclusivity(unchecked) private var response: [UInt8]?
  /// The compression of response messages; set when the response head is sent.
  @exclusivity(unchecked) private var encoding: MessageEncoding?
  /// The metrics of the call; nil without a metrics backend.
  private let metered: ServerMetrics.Call?

  init(_ setup: Setup) {
    metered = setup.meters.map { ServerMetrics.Call($0) }
    exchange = setup.exchange
    context = setup.context
    server = setup.server
  }

  // MARK: - For subclasses

  /// Runs the handler. Called in the call's task.
  nonisolated(nonsending) func invoke() async throws {
    preconditionFailure("a call must have a handler")
  }

  /// Bytes of the messages received, as on the wire (compressed, if they are), without their
  /// prefixes.
  var receivedMessageBytes: Int { 0 }

  func received(body bytes: RawSpan) { exchange.consumed(bytes.byteCount) }

  func receivedEnd(trailers: HeaderList?) {}

  /// Called when the call has ended; a stream of requests that is still read ends with the error.
  func stopped(_ error: @autoclosure () -> RPCError) {}

  /// Starts the handler in a task; only the first call has an effect.
  final func start() {
    guard !isStarted, !hasEnded else { return }
    isStarted = true
    if let workers = exchange.loop.workers { return workers.start(self) }
    let worker = CallWorkers.Worker()
    worker.start(on: exchange.loop) { await self.run(on: worker) }
  }

  /// Ends the call with an error, unless its handler was started.
  final func refuse(_ error: RPCError) {
    guard !isStarted, !hasEnded else { return }
    finish(error)
    exchange.transport.handlerEnded()
  }

  /// Sets the single response.
  @usableFromInline final func answer(_ framed: [UInt8]) { response = framed }

  /// Sends a message of the stream of responses. Safe to call from any task.
  @usableFromInline final func send(_ framed: [UInt8], compressed: Bool) async throws {
    let encoding =
      exchange.loop.isCurrent
      ? beginResponse(context.said) : await exchange.onLoop { beginResponse(context.said) }
    if compressed, let encoding {
      try await exchange.send(encoding.compress(framed: framed))
    } else {
      try await exchange.send(framed)
    }
  }

  /// Sends the response head unless it was sent. Safe to call from any task.
  @usableFromInline final func sendHead() async {
    await exchange.onLoop { _ = beginResponse(context.said) }
  }

  /// Sends the response head unless it was sent; returns the compression of response messages.
  private func beginResponse(
    _ said: @autoclosure () -> ServerContext.Said?
  ) -> MessageEncoding? {
    guard exchange.state.local == .awaitingHead, !exchange.state.isClosed else { return encoding }
    guard let said = said() else {
      exchange.sendHead(.grpc)
      return nil
    }
    if let wanted = said.compression, context.head.accepts(wanted) { encoding = wanted }
    exchange.sendResponseHead(said.headers, compression: encoding)
    return encoding
  }

  // MARK: - Life cycle

  nonisolated(nonsending) final func run(on worker: CallWorkers.Worker) async {
    guard !hasEnded else { return exchange.transport.handlerEnded() }
    self.worker = worker
    var failure: RPCError?
    do {
      if exchange.transport.isCongested { try await exchange.transport.waitForRoom() }
      if server.router.interceptors.isEmpty {
        try await invoke()
      } else {
        try await intercepted(0)
        guard isInvoked, response != nil || !context.method.kind.hasOneResponse else {
          throw RPCError(.internalError, "an interceptor ended the call without an outcome")
        }
      }
    } catch {
      failure = status(of: error)
    }
    finish(failure)
    self.worker = nil
    exchange.transport.handlerEnded()
  }

  /// Runs the interceptors from `index` on, then the handler.
  private nonisolated(nonsending) func intercepted(_ index: Int) async throws {
    let interceptors = server.router.interceptors
    guard index < interceptors.count else {
      guard !isInvoked else {
        throw RPCError(.internalError, "an interceptor went on twice")
      }
      isInvoked = true
      return try await invoke()
    }
    try await interceptors[index].intercept(context) { try await self.intercepted(index + 1) }
  }

  /// Returns the status for an error of the handler. The text of an error that is not an `RPCError`
  /// is logged and not sent.
  private func status(of error: any Error) -> RPCError? {
    if !(error is RPCError), !(error is CancellationError) {
      server.logger.error(
        "a handler failed", metadata: ["method": "\(context.method)", "error": "\(error)"])
    }
    return context.outcome(of: error)
  }

  /// Ends the call with its outcome; nil is OK. Only the first call has an effect.
  private func finish(_ error: RPCError?) {
    guard !hasEnded else { return }
    hasEnded = true
    exchange.cancelTimer()
    let said = context.said
    let response = self.response.take()
    let outcome = error ?? response.flatMap { respond($0, said) }
    exchange.finishCall(outcome, headers: said?.headers ?? [:], trailers: said?.trailers ?? [:])
    count(outcome?.code)
    stopped(outcome ?? RPCError(.cancelled, "the call has ended"))
  }

  /// Sends the single response; returns the error if that fails.
  private func respond(_ response: [UInt8], _ said: ServerContext.Said?) -> RPCError? {
    guard let encoding = beginResponse(said) else {
      exchange.sendBody(response)
      return nil
    }
    do throws(RPCError) {
      exchange.sendBody(try encoding.compress(framed: response))
      return nil
    } catch {
      return error
    }
  }

  func closed(_ reason: CloseReason) {
    guard !hasEnded else { return }
    hasEnded = true
    exchange.cancelTimer()
    count(.cancelled)
    let status = RPCError(.cancelled, "the client gave up")
    context.ended(early: status)
    stopped(status)
    cancelHandler()
  }

  private func count(_ code: RPCError.Code?) {
    metered?.end(
      code, sentBytes: exchange.sentMessageBytes, receivedBytes: receivedMessageBytes)
  }

  /// Sets the deadline. When it passes, the caller gets the status at once and the handler is
  /// cancelled.
  final func setDeadline(_ deadline: Deadline) {
    exchange.setTimer(deadline) { self.deadlinePassed() }
  }

  private func deadlinePassed() {
    guard !hasEnded else { return }
    end(early: .deadlinePassed)
  }

  final func serverDrains() {
    guard !hasEnded, let status = context.statusWhenDraining else { return }
    end(early: status)
  }

  /// Ends the call with a status that its handler did not choose.
  private func end(early status: RPCError) {
    context.ended(early: status)
    finish(status)
    cancelHandler()
  }

  private func cancelHandler() {
    // A queued handler checks `hasEnded` when it is about to run.
    if let worker { worker.cancel() } else if !isStarted { exchange.transport.handlerEnded() }
  }

  final func received(head: HeaderList, endsStream: Bool) {}

  func requestStalled(_ error: RPCError) {}
}
