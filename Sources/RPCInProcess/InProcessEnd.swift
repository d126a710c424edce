import RPC
import Synchronization

/// One end of an in-process link, as the transport of its exchanges.
final class InProcessEnd: ExchangeTransport {
  enum Side: Sendable { case client, server }

  let link: InProcessLink
  let side: Side
  let peer: Peer

  init(link: InProcessLink, side: Side, peer: Peer) {
    self.link = link
    self.side = side
    self.peer = peer
  }

  var loop: any ExchangeLoop { link.loop }

  var largeMessages: LargeMessageQueue { link.largeMessages }

  var isDraining: Bool { side == .server && link.isDraining.load(ordering: .acquiring) }

  var isCrowded: Bool { link.isCrowded }

  func sendHead(_ exchange: ExchangeID, _ head: OutboundHead, endsStream: Bool) {
    let fields: HeaderList =
      switch head {
      case .grpc: [":status": "200", "content-type": "application/grpc"]
      case .fields(let list): list
      }
    link.loop.execute { [link] in
      link.stream(exchange)?.client.received(head: fields, endsStream: endsStream)
    }
    if endsStream { link.close(exchange, client: .completed, server: .completed) }
  }

  func sendBody(_ exchange: ExchangeID, _ bytes: [UInt8]) -> Bool {
    guard let stream = link.stream(exchange) else { return false }
    deliverSoon(exchange)
    return side == .client ? stream.toServer.append(bytes) : stream.toClient.append(bytes)
  }

  func sendEnd(_ exchange: ExchangeID, _ trailers: OutboundTrailers) {
    guard let stream = link.stream(exchange) else { return }
    let fields: HeaderList? =
      switch trailers {
      case .none: nil
      case .grpcOK: ["grpc-status": "0"]
      case .fields(let list): list
      }
    if side == .client { stream.toServer.finish(fields) } else { stream.toClient.finish(fields) }
    deliverSoon(exchange)
  }

  func reset(_ exchange: ExchangeID, _ code: ResetCode) {
    let told: CloseReason =
      side == .server && code == .refusedStream ? .unprocessed : .reset(code)
    link.close(exchange, client: told, server: .reset(code))
  }

  func consumed(_ exchange: ExchangeID, _ count: Int) {
    guard let stream = link.stream(exchange) else { return }
    if side == .client { stream.toClient.consumed(count) } else { stream.toServer.consumed(count) }
    deliverSoon(exchange)
  }

  func handlerEnded() { link.runningHandlers -= 1 }

  private func deliverSoon(_ exchange: ExchangeID) {
    link.loop.execute { [link] in
      guard let stream = link.stream(exchange) else { return }
      Self.deliver(&stream.toServer, from: stream.client, to: stream.server)
      Self.deliver(&stream.toClient, from: stream.server, to: stream.client)
      if stream.isComplete { link.close(exchange, client: .completed, server: .completed) }
    }
  }

  private static func deliver(_ flow: inout Flow, from sender: Exchange, to receiver: Exchange) {
    // Taken completely before anything is called, since that may send again.
    let chunks = flow.takeAll()
    let end = flow.takeEnd()
    let isWritable = flow.becameWritable()
    sender.loop.execute {
      for chunk in chunks { receiver.received(body: chunk.span.bytes) }
      if let end { receiver.receivedEnd(trailers: end) }
      if isWritable { sender.writable() }
    }
  }
}
