/// What carries exchanges: a connection. All functions are called on its loop.
package protocol ExchangeTransport: AnyObject, Sendable {
  var loop: any ExchangeLoop { get }
  var peer: Peer { get }
  /// It takes no new exchanges and waits for the end of those that run. From any thread.
  var isDraining: Bool { get }

  /// So much is queued for the peer that no handler should begin.
  var isCongested: Bool { get }
  /// Suspends while it is congested. Only from a task on the loop.
  /// - Throws: when the task is cancelled.
  nonisolated(nonsending) func waitForRoom() async throws

  /// How calls of this peer take turns at large messages.
  var unpackingTurns: UnpackingTurns { get }

  /// Queues the response head; a client's request head was given when it opened the exchange.
  func sendHead(_ exchange: ExchangeID, _ head: OutboundHead, endsStream: Bool)

  /// Queues body bytes. True when the queue is full: wait for `Exchange.writable`.
  func sendBody(_ exchange: ExchangeID, _ bytes: [UInt8]) -> Bool

  /// Ends our side behind what is queued.
  func sendEnd(_ exchange: ExchangeID, _ trailers: OutboundTrailers)

  /// Gives the exchange up at once.
  func reset(_ exchange: ExchangeID, _ code: ResetCode)

  /// The application has taken that many body bytes.
  func consumed(_ exchange: ExchangeID, _ count: Int)

  /// Adds `more` (which may be negative) to the connection's count of buffered bytes of incomplete
  /// messages. See `Exchange.hold(_:)`.
  /// - Returns: Whether the connection is within its limit.
  func holds(_ more: Int) -> Bool

  /// The deadline of a client's exchange passed before there was any answer.
  /// - Parameter time: since the exchange was opened.
  func deadlinePassed(after time: Duration)

  /// The code that answered the exchange has returned (servers only).
  func handlerEnded()
}

/// How a transport knows its exchange.
package struct ExchangeID: Sendable, Hashable {
  package let id: Int32
  package let slot: Int32

  package init(id: Int32, slot: Int32) {
    self.id = id
    self.slot = slot
  }
}

/// A response head: the usual one has a form of its own, which costs nothing to make.
package enum OutboundHead: Sendable, Hashable {
  /// `:status: 200`, `content-type: application/grpc`.
  case grpc
  case fields(HeaderList)
}

/// What ends our side.
package enum OutboundTrailers: Sendable, Hashable {
  case none
  /// `grpc-status: 0`.
  case grpcOK
  case fields(HeaderList)
}

/// How an exchange came to its end.
package enum CloseReason: Sendable, Hashable {
  /// Both sides had their say.
  case completed
  /// The peer, or the protocol library, reset it.
  case reset(ResetCode)
  /// The server never saw the request: it may be tried again elsewhere.
  case unprocessed
  /// The connection is gone.
  case connectionLost(String)
}

/// Who takes what arrives on an exchange. Called on its loop.
package protocol ExchangeSink: AnyObject {
  /// The response head (clients only).
  func received(head: HeaderList, endsStream: Bool)
  /// Body bytes; the span is valid during the call. Credit is the sink's to return.
  func received(body bytes: RawSpan)
  /// The peer's side has ended.
  func receivedEnd(trailers: HeaderList?)
  /// The exchange is gone; the last call.
  func closed(_ reason: CloseReason)
  /// The server waits for the end of what runs (servers only).
  func serverDrains()
  /// The rest of the request is waited for no longer (servers only).
  func requestStalled(_ error: RPCError)
}

/// Who works on an exchange without a task: told on its loop whenever there is something in its
/// inbox, it can be written to again, or it is closed.
package protocol ExchangeListener: AnyObject {
  func exchangeChanged(_ exchange: Exchange)
}

extension ExchangeTransport {
  package var isDraining: Bool { false }
  package var isCongested: Bool { false }
  package func holds(_ more: Int) -> Bool { true }
  package func deadlinePassed(after time: Duration) {}
  package nonisolated(nonsending) func waitForRoom() async throws {}
}

extension ExchangeSink {
  package func serverDrains() {}
  package func requestStalled(_ error: RPCError) {}
}
