/// The connection that carries exchanges. All functions are called on its loop.
package protocol ExchangeTransport: AnyObject, Sendable {
  var loop: any ExchangeLoop { get }
  var peer: Peer { get }
  /// The backend at the other end (clients only).
  var backend: BackendID? { get }
  /// Whether no new exchanges are accepted while the running ones end. Safe to read from any
  /// thread.
  var isDraining: Bool { get }

  /// Whether so much outbound data is queued that no handler should start.
  var isCongested: Bool { get }
  /// Whether the client has had more than a few exchanges open at once since it last had none
  /// (servers only).
  var isCrowded: Bool { get }
  /// Suspends while the transport is congested. Call only from a task on the loop.
  /// - Throws: An error if the task is cancelled.
  nonisolated(nonsending) func waitForRoom() async throws

  /// The turns in which calls of this peer unpack and decode large messages.
  var largeMessages: LargeMessageQueue { get }

  /// Queues the response head. A client's request head is given when it opens the exchange.
  func sendHead(_ exchange: ExchangeID, _ head: OutboundHead, endsStream: Bool)

  /// Queues body bytes. Returns true if the queue is full: then wait for `Exchange.writable`.
  func sendBody(_ exchange: ExchangeID, _ bytes: [UInt8]) -> Bool

  /// Ends the local side, behind everything that is queued.
  func sendEnd(_ exchange: ExchangeID, _ trailers: OutboundTrailers)

  /// Resets the exchange at once.
  func reset(_ exchange: ExchangeID, _ code: ResetCode)

  /// Keeps the exchange open behind the end of its response, until the request ends or it is reset
  /// (servers only). Call it before that end is sent.
  /// - Returns: False if the transport does not need it.
  func keepOpen(_ exchange: ExchangeID) -> Bool

  /// Returns flow-control credit to the peer, for body bytes that the application has taken.
  func consumed(_ exchange: ExchangeID, _ count: Int)

  /// Adds `more` (which may be negative) to the connection's count of buffered bytes of requests.
  /// See `Exchange.hold(_:)`.
  /// - Returns: Whether the connection may hold that; what is given back always is.
  func holds(_ more: Int) -> HeldVerdict

  /// Reports that the deadline of a client's exchange passed before its response head arrived.
  /// - Parameter time: The time since the exchange was opened.
  func deadlinePassed(after time: Duration)

  /// Reports that the handler of the exchange has returned (servers only).
  func handlerEnded()
}

/// A transport's identifier of an exchange.
package struct ExchangeID: Sendable, Hashable {
  package let id: Int32
  package let slot: Int32

  package init(id: Int32, slot: Int32) {
    self.id = id
    self.slot = slot
  }
}

/// A response head. The usual one has a case of its own, which costs nothing to create.
package enum OutboundHead: Sendable, Hashable {
  /// `:status: 200`, `content-type: application/grpc`.
  case grpc
  case fields(HeaderList)
}

/// The end of the local side.
package enum OutboundTrailers: Sendable, Hashable {
  case none
  /// `grpc-status: 0`.
  case grpcOK
  case fields(HeaderList)
}

/// Why an exchange was closed.
package enum CloseReason: Sendable, Hashable {
  /// Both sides have ended.
  case completed
  /// The peer or the HTTP/2 library reset the stream.
  case reset(ResetCode)
  /// The server never processed the request, so it can be retried elsewhere.
  case unprocessed
  /// The request never left.
  case unsent
  /// The connection was lost.
  case connectionLost(String)

  /// Whether the server certainly never processed the request.
  package var isUnseen: Bool { self == .unprocessed || self == .unsent }
}

/// Receives what arrives on an exchange. Called on its loop.
package protocol ExchangeSink: AnyObject {
  /// Receives the response head (clients only).
  func received(head: HeaderList, endsStream: Bool)
  /// Receives body bytes; the span is valid during the call only. The sink returns their credit.
  func received(body bytes: RawSpan)
  /// Called when the peer's side has ended.
  func receivedEnd(trailers: HeaderList?)
  /// Called when the exchange is closed; the last call.
  func closed(_ reason: CloseReason)
  /// Called when the server starts to drain (servers only).
  func serverDrains()
  /// Called when the rest of the request has not arrived in time (servers only).
  func requestStalled(_ error: RPCError)
  /// Called when nobody needs the rest of the request any more: from now on it is dropped, and its
  /// credit returned (servers only).
  func discard()
}

/// Works on an exchange without a task. Called on its loop whenever the inbox has changed, the
/// exchange is writable again, or it is closed.
package protocol ExchangeListener: AnyObject {
  func exchangeChanged(_ exchange: Exchange)
}

extension ExchangeTransport {
  package var backend: BackendID? { nil }
  package var isDraining: Bool { false }
  package var isCongested: Bool { false }
  package var isCrowded: Bool { false }
  package func keepOpen(_ exchange: ExchangeID) -> Bool { false }
  package func holds(_ more: Int) -> HeldVerdict { .granted }
  package func deadlinePassed(after time: Duration) {}
  package nonisolated(nonsending) func waitForRoom() async throws {}
}

extension ExchangeSink {
  package func serverDrains() {}
  package func requestStalled(_ error: RPCError) {}
  package func discard() {}
}
