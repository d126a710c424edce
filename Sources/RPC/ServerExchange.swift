/// The server's side of a raw exchange. Safe to use from any task; one reader, one writer.
public struct ServerExchange: Sendable {
  /// The request's head.
  public let head: RequestHead
  package let exchange: Exchange
  package let inbox: Inbox

  package init(head: RequestHead, exchange: Exchange, inbox: Inbox) {
    self.head = head
    self.exchange = exchange
    self.inbox = inbox
  }

  /// Who is at the other end, as far as the connection tells.
  public var peer: Peer { exchange.transport.peer }

  /// The next bytes of the request's body, or nil at its end. What was returned may be sent again
  /// by the client: take no more than can be passed on.
  /// - Throws: `RPCError` when the client gave up or the task is cancelled.
  public func nextChunk() async throws -> [UInt8]? {
    try await exchange.onLoop { try await inbox.nextChunk() }
  }

  /// The request's trailers, after the end; nil when there were none.
  public func trailers() async -> HeaderList? {
    await exchange.onLoop { inbox.trailers }
  }

  /// Sends the response head: `:status` first. With `endsStream` it is the whole answer, as in a
  /// Trailers-Only response.
  public func sendHead(_ head: HeaderList, endsStream: Bool = false) async {
    await exchange.onLoop { exchange.sendHead(.fields(head), endsStream: endsStream) }
  }

  /// Sends body bytes behind the head; suspends while the outbound buffer is full.
  /// - Throws: `RPCError` when the exchange has ended or the task is cancelled.
  public func send(_ chunk: [UInt8]) async throws { try await exchange.send(chunk) }

  /// Ends the response, with trailers or without.
  public func finish(trailers: HeaderList? = nil) async {
    await exchange.onLoop { exchange.sendEnd(trailers.map { .fields($0) } ?? .none) }
  }

  /// Answers with a gRPC status: Trailers-Only when no head was sent yet.
  public func fail(_ error: RPCError) async {
    await exchange.onLoop { exchange.finishCall(error, headers: [:], trailers: [:]) }
  }

  /// Its handler is done: one that it has not ended is reset. Once, on its loop; whoever returns
  /// from ``ExchangeHandler/serve(_:)`` has said so.
  public func ended() {
    if exchange.state.local == .awaitingHead {
      exchange.finishCall(
        RPCError(.internalError, "the exchange was not answered"), headers: [:], trailers: [:])
    } else if exchange.state.local == .open {
      exchange.reset(.internalError)
    }
    exchange.transport.handlerEnded()
  }

  /// Gives the exchange up.
  public func reset(_ code: ResetCode) async {
    await exchange.onLoop { exchange.reset(code) }
  }
}
