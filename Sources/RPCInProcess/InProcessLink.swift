import RPC
import Synchronization

/// A connection whose two ends are in one process.
/// Guard: all mutable state is touched on `loop` only.
final class InProcessLink: @unchecked Sendable {
  let loop: any ExchangeLoop
  private(set) lazy var largeMessages = LargeMessageQueue(loop: loop)
  private let dispatcher: Dispatcher
  private let peer: Peer
  private let client: (any ExchangeTransport)?
  private var streams: [Int32: InProcessStream] = [:]
  /// The identifier assigned last.
  var lastID: Int32 = -1
  var runningHandlers = 0
  /// Whether the server is draining; set on `loop`.
  let isDraining = Atomic(false)

  init(
    _ dispatcher: Dispatcher, loop: any ExchangeLoop, peer: Peer,
    for client: (any ExchangeTransport)? = nil
  ) {
    self.loop = loop
    self.dispatcher = dispatcher
    self.peer = peer
    self.client = client
  }

  func open(_ head: RequestHead, options: ExchangeOptions) -> ClientExchange {
    let id = ExchangeID(id: takeID(), slot: 0)
    let client = Exchange(
      transport: InProcessEnd(
        link: self, side: .client, peer: Peer(address: "in-process")),
      id: id, state: .client)
    let server = Exchange(
      transport: InProcessEnd(link: self, side: .server, peer: peer), id: id, state: .server)
    streams[id.id] = InProcessStream(client: client, server: server)
    loop.execute {
      self.runningHandlers += 1
      _ = self.dispatcher.open(server, head: head)
    }
    return ClientExchange.make(client, options: options)
  }

  /// Whether the connection that the calls are made for is.
  var isCrowded: Bool { client?.isCrowded == true }

  /// Returns the next odd identifier; after the largest, the first one that is free.
  private func takeID() -> Int32 {
    repeat { lastID = lastID == .max ? 1 : lastID + 2 } while streams[lastID] != nil
    return lastID
  }

  func stream(_ id: ExchangeID) -> InProcessStream? { streams[id.id] }

  /// Closes both ends, in order with what was sent before.
  func close(_ id: ExchangeID, client: CloseReason, server: CloseReason) {
    loop.execute {
      guard let stream = self.streams.removeValue(forKey: id.id) else { return }
      stream.client.closed(client)
      stream.server.closed(server)
    }
  }

  func drain() {
    isDraining.store(true, ordering: .releasing)
    for stream in streams.values { stream.server.sink?.serverDrains() }
  }

  func disconnect() {
    for id in streams.keys {
      let lost = CloseReason.connectionLost("disconnected")
      close(ExchangeID(id: id, slot: 0), client: lost, server: lost)
    }
  }
}

/// One exchange with both its ends, and what is in transit between them.
final class InProcessStream {
  let client: Exchange
  let server: Exchange
  var toServer = Flow()
  var toClient = Flow()

  init(client: Exchange, server: Exchange) {
    self.client = client
    self.server = server
  }

  /// Whether the end of the response was delivered, after which nothing follows.
  var isComplete: Bool { toClient.isEndDelivered }
}

/// One direction of a stream: a queue, and the receiver's flow-control credit.
struct Flow {
  /// The flow-control window in bytes.
  static let windowBytes = 64 << 10
  /// The queued bytes above which the sender is asked to wait.
  static let markBytes = 64 << 10

  private var chunks: [[UInt8]] = []
  private var credit = Flow.windowBytes
  private var pendingBytes = 0
  private var wasFull = false
  private var end: HeaderList??
  private(set) var isEndDelivered = false

  /// Queues a chunk; returns true if the queue is full.
  mutating func append(_ chunk: [UInt8]) -> Bool {
    chunks.append(chunk)
    pendingBytes += chunk.count
    wasFull = pendingBytes >= Self.markBytes
    return wasFull
  }

  mutating func finish(_ trailers: HeaderList?) { end = .some(trailers) }

  mutating func consumed(_ count: Int) { credit += count }

  /// Takes everything that the credit allows to deliver.
  mutating func takeAll() -> [[UInt8]] {
    var taken: [[UInt8]] = []
    while let chunk = next() { taken.append(chunk) }
    return taken
  }

  private mutating func next() -> [UInt8]? {
    guard credit > 0, let chunk = chunks.first else { return nil }
    if chunk.count <= credit {
      chunks.removeFirst()
    } else {
      chunks[0] = Array(chunk[credit...])
    }
    let part = chunk.count <= credit ? chunk : Array(chunk[..<credit])
    credit -= part.count
    pendingBytes -= part.count
    return part
  }

  /// Takes the end, once everything before it was delivered.
  mutating func takeEnd() -> HeaderList?? {
    guard chunks.isEmpty, !isEndDelivered, let end else { return nil }
    isEndDelivered = true
    return .some(end)
  }

  /// Returns whether the sender is to be told that it may continue.
  mutating func becameWritable() -> Bool {
    guard wasFull, pendingBytes < Self.markBytes else { return false }
    wasFull = false
    return true
  }
}
