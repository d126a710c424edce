import HTTP2
import RPC
import Synchronization

// Dispatches the session's events to exchanges.
extension Connection {
  /// Handles the session's events. Data events are ranges of the bytes just received.
  func handleEvents(fed: RawSpan?) {
    var index = 0
    // Handling may append events, so the count is read each time.
    while index < session.events.count {
      let event = session.events[index]
      index += 1
      switch event {
      case .head(let stream, let block, let endsStream):
        received(head: block, on: stream, endsStream: endsStream)
      case .data(let stream, let offset, let count):
        guard let fed else { continue }
        let bytes = fed.extracting(offset..<offset + count)
        if let exchange = exchange(stream) {
          exchange.received(body: bytes)
        } else {
          session.consume(stream, count)
        }
      case .ended(let stream):
        exchange(stream)?.receivedEnd(trailers: nil)
        dropRequest(stream)
      case .trailers(let stream, let block):
        guard let exchange = exchange(stream), !refuses(block, of: exchange) else { continue }
        let trailers = headerList(block, of: exchange, isEnd: true)
        if dispatcher != nil, !MetadataRules.allows(trailers: trailers) {
          exchange.reset(.protocolError)
        } else {
          exchange.receivedEnd(trailers: trailers)
          dropRequest(stream)
        }
      case .closed(let stream, let code):
        closed(stream, code)
      case .unsent(let stream):
        closed(stream, nil)
      case .writable(let stream):
        exchange(stream)?.writable()
      case .settings:
        client?.streamsMax = Int(session.peerConcurrentStreamsMax)
        client?.count(session.openStreams)
        becameReady()
      case .settingsAcknowledged:
        settingsAcknowledged()
      case .goAway(_, let code, let isAboutPings):
        if draining == .no { draining = .final }
        client?.heardGoAway(code, isAboutPings: isAboutPings)
        owner?.connectionIsGoingAway(self)
      case .pong(let number):
        if number == Self.drainPing, draining == .announced { finishDraining() }
      }
      if isClosed { return }
    }
    session.removeEvents()
  }

  /// The open streams that do not make a connection crowded: those of a page or an app, which asks
  /// for a few things at once.
  private static let fewStreams = 4

  private func received(head block: HeaderBlock, on stream: StreamKey, endsStream: Bool) {
    guard let dispatcher else {
      guard let exchange = exchange(stream), !refuses(block, of: exchange) else { return }
      exchange.received(
        head: headerList(block, of: exchange, isEnd: endsStream), endsStream: endsStream)
      if endsStream { dropRequest(stream) }
      return
    }
    guard runningHandlers < limits.runningHandlersMax else {
      return session.reset(stream, .refusedStream)
    }
    let exchange = Exchange(
      transport: self, id: ExchangeID(id: stream.id, slot: stream.slot), state: .server)
    insert(exchange, stream)
    if session.openStreams > Self.fewStreams { isCrowded = true }
    if runningHandlers == 0 { idleFlag.store(false, ordering: .relaxed) }
    runningHandlers += 1
    if block.isOverLimit {
      refuseHeaders(of: exchange, RequestHead(fields: newList(block)), dispatcher)
    } else {
      open(exchange, block, dispatcher)
    }
    if endsStream { exchange.receivedEnd(trailers: nil) }
  }

  /// Resets the stream of a gRPC call if its response is complete and its request is not: nobody
  /// reads the rest. A server that does not reset it itself would hold the stream, and whoever
  /// writes to it, for ever. gRPC's C core and grpc-go do the same.
  private func dropRequest(_ stream: StreamKey) {
    guard client != nil, session.isOpen(stream), let exchange = exchange(stream),
      (exchange.sink as? Inbox)?.isFramed == true
    else { return }
    exchange.reset(.noError)
  }

  /// Refuses a request whose header list is over the limits. Its first fields, which were kept, say
  /// who sent it: gRPC clients read the HTTP status only, others get the JSON that HTTP/1.1 gives.
  private func refuseHeaders(
    of exchange: Exchange, _ head: RequestHead, _ dispatcher: Dispatcher
  ) {
    guard !head.isGRPC, !["", "HEAD"].contains(head.method) else {
      return dispatcher.refuseHeaders(exchange)
    }
    let refusal = HTTPRefusal.headersTooLong
    exchange.sendHead(.fields(refusal.head))
    exchange.sendBody(Array(refusal.body.utf8))
    exchange.sendEnd(.none)
    handlerEnded()
  }

  func insert(_ exchange: Exchange, _ stream: StreamKey) {
    let slot = Int(stream.slot)
    while exchanges.count <= slot { exchanges.append(nil) }
    if let gone = exchanges[slot] {
      // It was reset before its head had left: its slot is free at once, but its end is reported
      // later.
      closed(StreamKey(id: gone.id.id, slot: stream.slot), .cancel)
    }
    exchanges[slot] = exchange
  }

  private func exchange(_ stream: StreamKey) -> Exchange? {
    let slot = Int(stream.slot)
    guard slot < exchanges.count, let exchange = exchanges[slot], exchange.id.id == stream.id else {
      return nil
    }
    return exchange
  }

  /// Ends the exchange of a stream; without a code, its request has never left.
  private func closed(_ stream: StreamKey, _ code: ErrorCode?) {
    guard let exchange = exchange(stream) else { return }
    exchanges[Int(stream.slot)] = nil
    client?.closed(session.openStreams)
    if session.openStreams == 0 { isCrowded = false }
    let reason: CloseReason = if let code { self.reason(exchange, code) } else { .unsent }
    if case .reset = reason { note(.failed, of: exchange) }
    exchange.closed(reason)
    if draining == .final { markDirty() }
  }

  private func reason(_ exchange: Exchange, _ code: ErrorCode) -> CloseReason {
    let hasOwnEnd = session.role == .server ? exchange.state.local : exchange.state.remote
    if code == .noError, hasOwnEnd == .ended { return .completed }
    if session.role == .client, code == .refusedStream { return .unprocessed }
    return .reset(ResetCode(rawValue: code.rawValue))
  }

  /// Dispatches a request. Clients repeat their heads, apart from the timeout, so an equal head
  /// shares the previous one and the method that was found for it.
  private func open(_ exchange: Exchange, _ block: HeaderBlock, _ dispatcher: Dispatcher) {
    if let last = lastRequest, session.block(block, isSameAs: last.copy) {
      _ = dispatcher.open(exchange, head: head(block, like: last.head), known: last.method)
    } else {
      var head = RequestHead(fields: newList(block))
      head.memo = HeadMemo(after: lastRequest?.head.memo)
      let method = dispatcher.open(exchange, head: head, known: nil)
      let copy = session.copy(of: block, anyValueOf: head.timeoutPlace)
      lastRequest = LastRequest(copy: copy, head: head, method: method)
    }
  }

  private func head(_ block: HeaderBlock, like known: RequestHead) -> RequestHead {
    guard let place = known.timeoutPlace else { return known }
    return session.withValue(of: place, in: block) { known.with(timeout: $0) }
  }

  /// Returns the list of a block. Servers repeat themselves too, so heads and trailers that equal
  /// recent ones are shared.
  private func headerList(
    _ block: HeaderBlock, of exchange: Exchange, isEnd: Bool
  ) -> HeaderList {
    guard let client else { return newList(block) }
    if let known = client.lists.first(where: { session.block(block, isSameAs: $0.copy) }) {
      if isEnd { note(known.verdict, of: exchange) }
      return known.list
    }
    let list = newList(block)
    let verdict = Endpoint.Verdict(list)
    if isEnd { note(verdict, of: exchange) }
    client.keep(
      ClientSide.Known(copy: session.copy(of: block), list: list, verdict: verdict))
    return list
  }

  /// Counts what an exchange tells of the backend. The end of its health check does not mean that
  /// calls fail: a server that stops ends one on each connection. Neither does that of an exchange
  /// that was reset here, whose remote side has ended.
  private func note(_ verdict: Endpoint.Verdict?, of exchange: Exchange) {
    guard let client else { return }
    if verdict == .failed,
      exchange.state.remote == .ended || client.healthCheck?.exchange === exchange
    {
      return
    }
    client.endpoint?.note(verdict)
  }

  private func newList(_ block: HeaderBlock) -> HeaderList {
    var list = HeaderList()
    list.reserve(bytes: Int(block.byteCount), fields: Int(block.count))
    session.forEachField(in: block) { name, value in list.add(name: name, value: value) }
    return list
  }

  // MARK: - Graceful shutdown

  /// The payload of the drain's ping.
  private static let drainPing: UInt64 = 0
  /// The time limit for its acknowledgment: longer than any round trip. Streams that arrive later
  /// are ignored, and the peer may open them elsewhere.
  static let drainPingMax: Duration = .seconds(5)

  var isDraining: Bool { drainFlag.load(ordering: .acquiring) }

  var backend: BackendID? { client?.endpoint.map { BackendID($0) } }

  /// Drains the connection: tells the peer to open no new streams, lets running calls end, then
  /// closes.
  ///
  /// Calls that have no end of their own are ended at once. Source: RFC 9113, section 6.8.
  func drain() {
    // Only a drain sets `isDraining`: a GOAWAY of the client must not prevent one.
    guard !isDraining, !isClosed else { return }
    draining = .announced
    drainFlag.store(true, ordering: .releasing)
    session.submitShutdownNotice()
    // The acknowledgment proves that the peer has seen the notice: no earlier stream is in transit.
    session.submitPing(Self.drainPing)
    for exchange in exchanges { exchange?.sink?.serverDrains() }
    markDirty()
    _ = executor.schedule(after: Self.drainPingMax) { [self] in finishDraining() }
  }

  func finishDraining() {
    guard draining == .announced, !isClosed else { return }
    draining = .final
    session.submitGoAway(reason: drainReason)
    markDirty()
  }
}
