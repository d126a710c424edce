/// One HTTP exchange, a request and its response, on either side.
///
/// Confined to its transport's loop: all functions are called on it. The async types on top
/// (`ServerExchange`, `ClientExchange`, the streams) switch to the loop where necessary.
@usableFromInline
package final class Exchange: @unchecked Sendable {
  // Guard: all mutable state is touched on `loop` only; `transport` and `id` never change.
  package let transport: any ExchangeTransport
  package let id: ExchangeID
  package let loop: any ExchangeLoop
  @exclusivity(unchecked) package var sink: (any ExchangeSink)?
  /// The listener for changes, in addition to waiting tasks.
  @exclusivity(unchecked) package var listener: (any ExchangeListener)?
  @exclusivity(unchecked) package private(set) var state: ExchangeState
  @exclusivity(unchecked) private var isReset = false
  /// Whether nothing is done before the whole request has arrived, so that a stalled one is
  /// abandoned. A stream of requests, in contrast, may be silent as long as it likes.
  @exclusivity(unchecked) package var awaitsRequest = false
  /// Whether the rest of a request that is answered early is read and dropped for a while. Clients
  /// other than gRPC's may take a reset of their request, even one with NO_ERROR, for a failure of
  /// the whole exchange. Set before the response ends.
  @exclusivity(unchecked) package var dropsRest = false
  /// Whether the response has no body, whatever is sent: that of a HEAD request.
  @exclusivity(unchecked) package var omitsBody = false
  /// How long a client has to finish a request that was answered.
  private static let restMax: Duration = .seconds(2)
  /// Whether body bytes have arrived since the last `sweep()`.
  @exclusivity(unchecked) private var hasMoved = true
  /// Buffered bytes of the request whose flow-control credit was returned.
  @exclusivity(unchecked) private var heldBytes = 0
  /// Whether the outbound queue is full.
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
    if endsStream {
      _ = state.apply(.localEnd)
      dropRest()
    }
    transport.sendHead(id, head, endsStream: endsStream)
  }

  package func sendBody(_ bytes: [UInt8]) {
    guard proceed(.localBody), !omitsBody else { return }
    sentMessageBytes += bytes.count - MessageFramer.prefixBytes
    if transport.sendBody(id, bytes) { isFull = true }
  }

  package func sendEnd(_ trailers: OutboundTrailers) {
    guard proceed(.localEnd) else { return }
    dropRest()
    transport.sendEnd(id, trailers)
  }

  private func dropRest() {
    guard dropsRest, state.remote == .open, transport.keepOpen(id) else { return }
    // What was buffered of the request is not needed any more.
    hold(0)
    sink?.discard()
    setTimer(after: Self.restMax) { self.reset(.noError) }
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

  /// Whether a writer may continue without waiting.
  package var isWritable: Bool { !isFull || state.isClosed || state.local == .ended }

  /// Suspends while the outbound queue is full. Call only from a task that prefers this loop.
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
    hold(0)
    cancelTimer()
    let last = sink
    sink = nil
    last?.closed(reason)
    writers?.signal()
  }

  /// Sets how many bytes of a message are buffered whose flow-control credit has been returned
  /// already, since the message could not be completed otherwise. The transport bounds the sum.
  /// The number stands until the next call, or until the exchange closes. From then on nothing is
  /// counted: a handler may still take what has arrived, and nobody would give it back.
  /// - Returns: Whether the connection may hold that.
  @discardableResult
  package func hold(_ count: Int) -> HeldVerdict {
    let count = state.isClosed ? 0 : count
    let more = count - heldBytes
    guard more != 0 else { return .granted }
    heldBytes = count
    return transport.holds(more)
  }

  /// Whether the peer owes the rest of a request, without which nothing is done.
  package var isOwedRequest: Bool { awaitsRequest && state.remote == .open && !state.isClosed }

  /// Whether the whole request has arrived and the response has not left.
  package var owesAnswer: Bool { state.remote == .ended && !state.isClosed }

  /// Fails a request of which nothing has arrived since the previous call.
  package func sweep() {
    if isOwedRequest, !hasMoved {
      sink?.requestStalled(.requestStalled)
    }
    hasMoved = false
  }

  // MARK: - Time

  /// Calls `body` on the loop when the deadline passes, unless the exchange is closed before.
  /// Replaces an earlier timer.
  package func setTimer(_ deadline: Deadline, _ body: @escaping @Sendable () -> Void) {
    setTimer(after: deadline.remaining, body)
  }

  /// Calls `body` on the loop after `time`, unless the exchange is closed before. Replaces an
  /// earlier timer.
  package func setTimer(after time: Duration, _ body: @escaping @Sendable () -> Void) {
    cancelTimer()
    timer = loop.schedule(after: max(.zero, time), body)
  }

  package func cancelTimer() {
    timer?.cancel()
    timer = nil
  }
}
