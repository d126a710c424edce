/// One HTTP exchange, request and response, on either side.
///
/// Confined to its transport's loop: every function here is called on it. The async faces over it
/// (`ServerExchange`, `ClientExchange`, streams) hop when they must.
@usableFromInline
package final class Exchange: @unchecked Sendable {
  // Guard: all mutable state is touched on `loop` only; `transport` and `id` never change.
  package let transport: any ExchangeTransport
  package let id: ExchangeID
  package let loop: any ExchangeLoop
  @exclusivity(unchecked) package var sink: (any ExchangeSink)?
  /// Who is told, beside tasks that wait.
  @exclusivity(unchecked) package var listener: (any ExchangeListener)?
  @exclusivity(unchecked) package private(set) var state: ExchangeState
  @exclusivity(unchecked) private var isReset = false
  /// Nothing is done before the whole request is there: one that stands still is given up. A stream
  /// of requests may be silent as long as it likes.
  @exclusivity(unchecked) package var awaitsRequest = false
  /// Bytes of the body came since the last look.
  @exclusivity(unchecked) private var hasMoved = true
  /// Bytes of the request that are held though their credit was given back.
  @exclusivity(unchecked) private var heldBytes = 0
  /// The outbound queue is full.
  @exclusivity(unchecked) private var isFull = false
  @exclusivity(unchecked) private var writers: WaitPoint?
  @exclusivity(unchecked) private var timer: (any ScheduledWork)?
  /// Bytes of the messages queued so far, without their prefixes.
  @exclusivity(unchecked) package private(set) var sentMessageBytes = 0

  package init(transport: any ExchangeTransport, id: ExchangeID, state: ExchangeState) {
    self.transport = transport
    self.id = id
    self.state = state
    loop = transport.loop
  }

  // MARK: - Outbound

  package func sendHead(_ head: OutboundHead, endsStream: Bool = false) {
    guard proceed(.localHead) else { return }
    if endsStream { _ = state.apply(.localEnd) }
    transport.sendHead(id, head, endsStream: endsStream)
  }

  package func sendBody(_ bytes: [UInt8]) {
    guard proceed(.localBody) else { return }
    sentMessageBytes += bytes.count - MessageFramer.prefixBytes
    if transport.sendBody(id, bytes) { isFull = true }
  }

  package func sendEnd(_ trailers: OutboundTrailers) {
    guard proceed(.localEnd) else { return }
    transport.sendEnd(id, trailers)
  }

  package func reset(_ code: ResetCode) {
    guard !isReset, proceed(.localReset) else { return }
    isReset = true
    transport.reset(id, code)
  }

  package func consumed(_ count: Int) {
    guard count > 0, !state.isClosed else { return }
    transport.consumed(id, count)
  }

  /// Whether a writer may go on at once.
  package var isWritable: Bool { !isFull || state.isClosed || state.local == .ended }

  /// Suspends while the outbound queue is full. Only from a task that prefers this loop.
  package func waitUntilWritable() async throws(CancellationError) {
    while !isWritable {
      if Task.isCancelled { throw CancellationError() }
      let point = writers ?? WaitPoint(loop: loop)
      writers = point
      await point.wait()
    }
  }

  private func proceed(_ input: ExchangeState.Input) -> Bool {
    assert(loop.isCurrent, "an exchange was used off its loop")
    let verdict = state.apply(input)
    assert(verdict != .violation, "\(input) on an exchange in \(state)")
    return verdict == .proceed
  }

  // MARK: - Inbound, from the transport

  package func received(head: HeaderList, endsStream: Bool) {
    guard state.apply(.remoteHead) == .proceed else { return }
    if endsStream { _ = state.apply(.remoteEnd) }
    sink?.received(head: head, endsStream: endsStream)
  }

  package func received(body bytes: RawSpan) {
    hasMoved = true
    guard state.apply(.remoteBody) == .proceed, let sink else {
      transport.consumed(id, bytes.byteCount)
      return
    }
    sink.received(body: bytes)
  }

  package func receivedEnd(trailers: HeaderList?) {
    guard state.apply(.remoteEnd) == .proceed else { return }
    sink?.receivedEnd(trailers: trailers)
  }

  package func writable() {
    isFull = false
    writers?.signal()
    listener?.exchangeChanged(self)
  }

  package func closed(_ reason: CloseReason) {
    guard state.apply(.closed) == .proceed else { return }
    _ = hold(0)
    cancelTimer()
    let last = sink
    sink = nil
    last?.closed(reason)
    writers?.signal()
  }

  /// Sets how many bytes of an incomplete message are buffered. Their flow-control credit has been
  /// returned already, since the message could not be completed otherwise, so the transport bounds
  /// their sum. The number stands until the next call, or until the exchange closes.
  /// - Returns: Whether the connection is within its limit.
  package func hold(_ count: Int) -> Bool {
    let more = count - heldBytes
    heldBytes = count
    return more == 0 || transport.holds(more)
  }

  /// Whether the peer owes the rest of a request before anything is done.
  package var isOwedRequest: Bool { awaitsRequest && state.remote == .open && !state.isClosed }

  /// Gives up a request of which nothing came since the call before.
  package func sweep() {
    if isOwedRequest, !hasMoved {
      sink?.requestStalled(RPCError(.deadlineExceeded, "the request did not arrive in time"))
    }
    hasMoved = false
  }

  // MARK: - Time

  /// Calls it on the loop when the deadline passes and the exchange is still there.
  package func setTimer(_ deadline: Deadline, _ body: @escaping @Sendable () -> Void) {
    setTimer(after: deadline.remaining, body)
  }

  /// The same after that time.
  package func setTimer(after time: Duration, _ body: @escaping @Sendable () -> Void) {
    cancelTimer()
    timer = loop.schedule(after: max(.zero, time), body)
  }

  package func cancelTimer() {
    timer?.cancel()
    timer = nil
  }
}
