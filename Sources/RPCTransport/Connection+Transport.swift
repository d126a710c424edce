import HTTP2
import NIOCore
import RPC
import Synchronization

// Translates the operations of exchanges to those of the session.
extension Connection {
  private static let grpcHead = StaticFields([
    ":status": "200", "content-type": "application/grpc",
  ])
  private static let grpcOK = StaticFields(["grpc-status": "0"])

  private func key(_ exchange: ExchangeID) -> StreamKey {
    StreamKey(id: exchange.id, slot: exchange.slot)
  }

  func sendHead(_ exchange: ExchangeID, _ head: OutboundHead, endsStream: Bool) {
    let source: HeaderSource =
      switch head {
      case .grpc: .fixed(Self.grpcHead)
      case .fields(let list): .list(executor.outbound.fields(of: list))
      }
    session.submitResponse(key(exchange), source, endsStream: endsStream)
    markDirty()
  }

  func sendBody(_ exchange: ExchangeID, _ bytes: [UInt8]) -> Bool {
    markDirty()
    return session.submitData(key(exchange), bytes)
  }

  func sendEnd(_ exchange: ExchangeID, _ trailers: OutboundTrailers) {
    let source: HeaderSource? =
      switch trailers {
      case .none: nil
      case .grpcOK: .fixed(Self.grpcOK)
      case .fields(let list): .list(executor.outbound.fields(of: list))
      }
    session.submitEnd(key(exchange), trailers: source)
    markDirty()
  }

  func keepOpen(_ exchange: ExchangeID) -> Bool {
    session.keepOpen(key(exchange))
    return true
  }

  func reset(_ exchange: ExchangeID, _ code: ResetCode) {
    session.reset(key(exchange), ErrorCode(rawValue: code.rawValue))
    markDirty()
  }

  func consumed(_ exchange: ExchangeID, _ count: Int) {
    session.consume(key(exchange), count)
    // A window update may be due; during a read it is flushed anyway.
    markDirty()
  }

  func holds(_ more: Int) -> HeldVerdict { held.add(more) }

  var isCongested: Bool { session.unsentBytes > limits.unsentBytesMax }

  nonisolated(nonsending) func waitForRoom() async throws {
    while isCongested, !isClosed {
      try Task.checkCancellation()
      let point = room ?? WaitPoint(loop: executor)
      room = point
      await point.wait()
    }
    try Task.checkCancellation()
  }

  func handlerEnded() {
    runningHandlers -= 1
    if runningHandlers == 0 { idleFlag.store(true, ordering: .relaxed) }
    if isClosed { tellOwnerIfGone() } else if draining == .final { markDirty() }
  }

  /// Opens an exchange of a client.
  /// - Parameter isCall: Whether it counts as a call of the backend, whose number is limited.
  /// - Throws: `RPCError`: UNAVAILABLE if this connection takes no more, RESOURCE_EXHAUSTED if
  ///   there are too many calls or the head is too long.
  func open(
    _ head: RequestHead, authority: String, options: ExchangeOptions, isCall: Bool = true
  ) throws(RPCError) -> ClientExchange {
    guard !isClosed, isReady, draining == .no else {
      throw RPCError(.unavailable, "the connection is closed")
    }
    guard session.openStreams + session.cancelledRequests < Self.streamsMax,
      !isCall || client?.isAtLimit != true
    else {
      throw RPCError(.resourceExhausted, "too many calls at one backend")
    }
    let stream: StreamKey
    do {
      stream = try session.submitRequest(
        .list(client?.outbound(head, authority: authority, isTLS: isTLS) ?? OutboundFields()))
    } catch .headersTooLong {
      throw RPCError(.resourceExhausted, "the request's header list is too long to be sent")
    } catch {
      // Out of stream identifiers, or shutting down: another connection is needed.
      draining = .final
      owner?.connectionIsGoingAway(self)
      throw RPCError(.unavailable, "the connection takes no more calls: \(error)")
    }
    let exchange = Exchange(
      transport: self, id: ExchangeID(id: stream.id, slot: stream.slot), state: .client)
    insert(exchange, stream)
    client?.opened(session.openStreams, isCall: isCall)
    markDirty()
    return ClientExchange.make(exchange, options: options)
  }

  /// Counts a failure of the backend if nothing at all has arrived from it in that time. A backend
  /// that is only slow with a call does not count as failing.
  func deadlinePassed(after time: Duration) {
    let silence = NIODeadline.now().uptimeNanoseconds &- lastRead
    if silence >= time.wholeNanoseconds { client?.endpoint?.note(.failed) }
  }

  /// The limit of calls in flight or waiting on one connection, and those cancelled while they
  /// waited: it bounds what a client queues.
  private static let streamsMax = 10_000
}

/// The response heads and trailers that a loop has sent recently, in the session's form: a proxy
/// forwards the same lists again and again. A pure value.
struct OutboundLists {
  /// Lists that are kept: the head and the trailers of several backends.
  private static let listsMax = 8

  private var known: [(list: HeaderList, fields: OutboundFields)] = []
  private var oldest = 0

  mutating func fields(of list: HeaderList) -> OutboundFields {
    for one in known where one.list.isIdentical(to: list) { return one.fields }
    let fields = Self.fields(list)
    if known.count < Self.listsMax {
      known.append((list, fields))
    } else {
      known[oldest] = (list, fields)
      oldest = (oldest + 1) % Self.listsMax
    }
    return fields
  }

  private static func fields(_ list: HeaderList) -> OutboundFields {
    var fields = OutboundFields()
    let bytes = list.bytes.span.bytes
    fields.reserve(bytes: list.bytes.count, fields: list.count)
    for field in list.fields {
      fields.add(
        name: bytes.extracting(field.nameRange), value: bytes.extracting(field.valueRange))
    }
    return fields
  }
}
