import FuzzCore
import HTTP2

extension FuzzTarget {
  /// A server session with a client that sends arbitrary frames.
  static let http2Server = FuzzTarget(name: "http2-server") { bytes in
    var script = try SessionScript(.server, bytes)
    try script.run()
  }

  /// A client session with a server that sends arbitrary frames.
  static let http2Client = FuzzTarget(name: "http2-client") { bytes in
    var script = try SessionScript(.client, bytes)
    try script.run()
  }
}

/// An input as a dialogue: the pieces that the peer sends, and the owner's actions in between.
private struct SessionScript {
  private let session: Session
  private var input: InputReader
  /// Bytes that the peer has sent and the session has not been fed yet.
  private var wire: [UInt8] = []
  private var open: [StreamKey] = []
  private var unread: [StreamKey: Int] = [:]
  private var nowNanoseconds: UInt64 = 1

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private static let responseHead = StaticFields([
    ":status": "200", "content-type": "application/grpc",
  ])
  private static let requestHead = StaticFields([
    ":method": "POST", ":scheme": "http", ":path": "/a.B/C", ":authority": "a", "te": "trailers",
    "content-type": "application/grpc",
  ])
  private static let trailers = StaticFields(["grpc-status": "0"])

  init(_ role: Session.Role, _ bytes: [UInt8]) throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 4
    limits.headerListBytesMax = 512
    limits.headerFieldsMax = 12
    limits.streamWindowBytes = 1 << 10
    limits.connectionWindowBytes = 64 << 10
    limits.unreadBytesMax = 2 << 10
    limits.controlFrames = .init(burst: 8, perSecond: 1)
    limits.emptyDataFrames = .init(burst: 4, perSecond: 1)
    limits.resetsProvoked = .init(burst: 4, perSecond: 1)
    limits.resetsReceived = .init(burst: 4, perSecond: 1)
    limits.headerBlockBytesMax = 96
    limits.continuationsMax = 4
    limits.idleFramesMax = 4
    limits.idleFramesPerStream = 1
    limits.windowUpdatesMax = 4
    limits.windowUpdatesPerFrame = 1
    session = try Session(role, limits: limits)
    input = InputReader(bytes)
  }

  mutating func run() throws {
    defer { session.close() }
    let mode = input.byte()
    if session.role == .server, mode & 1 == 0 { wire += Self.preface }
    // Odd modes omit the peer's regular preface.
    if mode & 2 == 0 { frame(type: 4, flags: 0, stream: 0, []) }
    while !input.isAtEnd { try step(input.byte()) }
    try feed(wire.count)
    try drain(.max)
  }

  private mutating func step(_ code: UInt8) throws {
    let argument = code >> 4
    switch code & 15 {
    case 0: wire += input.piece()
    case 1: frame(type: input.byte() % 11, flags: input.byte(), stream: number(), input.piece())
    case 2: frame(type: 1, flags: 4 | argument & 1, stream: number(), head())
    case 3: frame(type: 0, flags: argument & 1, stream: number(), input.piece())
    case 4: frame(type: 8, flags: 0, stream: number(), input.take(4))
    case 5: frame(type: 3, flags: 0, stream: number(), [0, 0, 0, argument])
    case 6: frame(type: 6, flags: argument & 1, stream: 0, Array(repeating: argument, count: 8))
    case 7: frame(type: 4, flags: argument & 1, stream: 0, input.take(6))
    case 8: try feed(Int(argument) + 1)
    case 9: try feed(wire.count)
    case 10: try drain(argument == 0 ? .max : Int(argument) << 4)
    case 11: nowNanoseconds += UInt64(argument) << 29
    case 12: try answer(argument)
    case 13: consume(all: argument & 1 == 1)
    case 14: try submit(argument)
    default: frame(type: 9, flags: argument & 4, stream: number(), input.piece())
    }
  }

  /// Returns a stream number: small, and mostly of the parity that the peer opens.
  private mutating func number() -> UInt32 {
    let byte = UInt32(input.byte())
    return byte >= 0xf0 ? byte << 24 : byte & 15
  }

  /// Returns a header block: a regular one, perhaps with additional bytes.
  private mutating func head() -> [UInt8] {
    let kind = input.byte()
    // HPACK by the static table: :method POST, :scheme http, :path /, or :status 200.
    let block: [UInt8] = session.role == .server ? [0x83, 0x86, 0x84] : [0x88]
    switch kind & 3 {
    case 0: return block
    case 1: return block + input.piece()
    case 2: return block + field(input.piece(), input.piece())
    default: return input.piece()
    }
  }

  /// Encodes a field as a literal that is not indexed.
  private func field(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
    let name = name.prefix(126)
    let value = value.prefix(126)
    return [0, UInt8(name.count)] + name + [UInt8(value.count)] + value
  }

  private mutating func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) {
    wire += [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xff), type, flags]
    for shift: UInt32 in [24, 16, 8, 0] { wire.append(UInt8(truncatingIfNeeded: stream >> shift)) }
    wire += payload
  }

  private mutating func feed(_ count: Int) throws {
    let chunk = Array(wire.prefix(count))
    wire.removeFirst(chunk.count)
    do {
      try session.receive(chunk.span.bytes, nowNanoseconds: nowNanoseconds)
    } catch {
      // The connection is over: queued output may still be sent, then it is closed.
      try takeEvents(fed: chunk.count)
      try drain(.max)
      session.close()
    }
    try takeEvents(fed: chunk.count)
  }

  private mutating func takeEvents(fed: Int) throws {
    for event in session.events {
      switch event {
      case .head(let stream, let block, _):
        try read(block)
        if session.role == .server {
          try require(!open.contains(stream), "a stream opens once")
          open.append(stream)
        } else {
          try require(open.contains(stream), "a response belongs to a request")
        }
      case .trailers(let stream, let block):
        try read(block)
        try require(open.contains(stream), "trailers belong to an open stream")
      case .data(let stream, let offset, let count):
        try require(open.contains(stream), "data belongs to an open stream")
        try require(offset >= 0 && count >= 0 && offset + count <= fed, "data lies in what was fed")
        unread[stream, default: 0] += count
      case .ended(let stream): try require(open.contains(stream), "an open stream ends")
      case .closed(let stream, _):
        // A stream whose head was refused closes without having been announced.
        open.removeAll { $0 == stream }
        unread[stream] = nil
        try require(!session.isOpen(stream), "a closed stream's key is dead")
      case .writable(let stream): try require(open.contains(stream), "an open stream is writable")
      default: break
      }
    }
    session.removeEvents()
    try require(session.openStreams >= 0, "streams are counted")
  }

  private func read(_ block: HeaderBlock) throws {
    var count = 0
    var bytes = 0
    session.forEachField(in: block) { name, value in
      count += 1
      bytes += name.byteCount + value.byteCount
    }
    try require(count == block.count && bytes == block.byteCount, "a header list is what it says")
    try require(count <= 12 && bytes <= 512, "a header list is within its limits")
  }

  private mutating func drain(_ limit: Int) throws {
    do {
      _ = try session.drain(limit: limit) { _ in }
    } catch {
      session.close()
    }
    // Sending closes streams as well.
    try takeEvents(fed: 0)
  }

  private mutating func answer(_ argument: UInt8) throws {
    guard let stream = open.isEmpty ? nil : open[Int(argument) % open.count] else { return }
    switch input.byte() & 7 {
    case 0:
      guard session.role == .server else { return }
      session.submitResponse(stream, .fixed(Self.responseHead), endsStream: argument & 1 == 1)
    case 1:
      var list = OutboundFields()
      list.add("grpc-message", String(decoding: input.piece(), as: UTF8.self))
      session.submitEnd(stream, trailers: .list(list))
    case 2: session.submitEnd(stream, trailers: argument & 1 == 0 ? nil : .fixed(Self.trailers))
    case 3: _ = session.submitData(stream, input.piece())
    case 4: _ = session.submitData(stream, Array(repeating: argument, count: 70 << 10))
    default: session.reset(stream, ErrorCode(rawValue: UInt32(argument)))
    }
    try takeEvents(fed: 0)
  }

  private mutating func consume(all: Bool) {
    for (stream, count) in unread {
      let taken = all ? count : count / 2
      session.consume(stream, taken)
      unread[stream] = count - taken
    }
  }

  private mutating func submit(_ argument: UInt8) throws {
    switch argument & 7 {
    case 0: session.submitPing(UInt64(argument))
    case 1: session.submitShutdownNotice()
    case 2: session.submitGoAway(ErrorCode(rawValue: UInt32(argument)))
    case 3: session.terminate(.enhanceYourCalm)
    default:
      guard session.role == .client, open.count < 8 else { return }
      if let stream = try? session.submitRequest(.fixed(Self.requestHead)) { open.append(stream) }
    }
    try takeEvents(fed: 0)
  }
}
