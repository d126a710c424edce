/// The server side of a raw exchange. Safe to use from any task, with one reader and one writer.
public struct ServerExchange: Sendable {
  /// The request head.
  public let head: RequestHead
  package let exchange: Exchange
  package let inbox: Inbox

  package init(head: RequestHead, exchange: Exchange, inbox: Inbox) {
    self.head = head
    self.exchange = exchange
    self.inbox = inbox
  }

  /// The client, as far as the connection identifies it.
  public var peer: Peer { exchange.transport.peer }

  /// Returns the next bytes of the request body, or nil at its end. Their flow-control credit is
  /// returned, so the client may send as many again: take no more than can be passed on.
  /// - Throws: `RPCError` if the client cancels the exchange or the task is cancelled.
  public func nextChunk() async throws -> [UInt8]? {
    try await exchange.onLoop { try await inbox.nextChunk() }
  }

  /// Returns the request trailers; call it after the end of the body. Nil if there are none.
  public func trailers() async -> HeaderList? {
    await exchange.onLoop { inbox.trailers }
  }

  /// Sends the response head, `:status` first. With `endsStream` it is the whole response, as in
  /// Trailers-Only.
  public func sendHead(_ head: HeaderList, endsStream: Bool = false) async {
    await exchange.onLoop { exchange.sendHead(.fields(head), endsStream: endsStream) }
  }

  /// Sends body bytes behind the head; suspends while the outbound buffer is full.
  /// - Throws: `RPCError` if the exchange has ended or the task is cancelled.
  public func send(_ chunk: [UInt8]) async throws { try await exchange.send(chunk) }

  /// Ends the response, with trailers or without.
  public func finish(trailers: HeaderList? = nil) async {
    await exchange.onLoop { exchange.sendEnd(trailers.map { .fields($0) } ?? .none) }
  }

  /// Responds with a gRPC status: Trailers-Only if no head was sent.
  public func fail(_ error: RPCError) async {
    await exchange.onLoop { exchange.finishCall(error, headers: [:], trailers: [:]) }
  }

  /// Calls a closure when the server starts to drain, for exchanges that have no end of their own;
  /// at once if it is draining already. Call it on the exchange's loop.
  package func onDrain(_ body: @escaping () -> Void) {
    if exchange.transport.isDraining { return body() }
    inbox.onDrain = body
  }

  /// Reports that the handler is done with the exchange. If the exchange has not ended, the client
  /// gets INTERNAL if no head was sent, else a reset. Call it once, on the exchange's loop.
  /// Returning from ``ExchangeHandler/serve(_:)`` does the same.
  public func ended() {
    if exchange.state.local == .awaitingHead {
      exchange.finishCall(
        RPCError(.internalError, "the exchange was not answered"), headers: [:], trailers: [:])
    } else if exchange.state.local == .open {
      exchange.reset(.internalError)
    }
    exchange.transport.handlerEnded()
  }

  /// Resets the exchange.
  public func reset(_ code: ResetCode) async {
    await exchange.onLoop { exchange.reset(code) }
  }
}
