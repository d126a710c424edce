import FuzzCore
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RPC
import RPCTransport

extension FuzzTarget {
  /// HTTP/1.1 as read by the edge: the result does not depend on how the bytes are split, and no
  /// accepted head has two readings.
  static let http1 = FuzzTarget(name: "http1") { bytes in
    var input = InputReader(bytes)
    let step = Int(input.byte() % 16) + 1
    let stream = input.rest()
    let whole = try read([stream])
    let cut = try read(
      stride(from: 0, to: stream.count, by: step).map {
        Array(stream[$0..<min($0 + step, stream.count)])
      })
    try require(whole == cut, "cut into \(step) bytes it is \(cut), else \(whole)")
    for case .head(let fields) in whole.events { try check(fields) }
  }

  /// The result of reading some bytes.
  private struct Reading: Equatable {
    enum Event: Equatable {
      case head(HeaderList)
      /// A refused head; nothing behind it counts.
      case refused
      case body(count: Int)
      case end
    }

    var events: [Event] = []
    /// Whether the bytes behind the events, none of them a refused head, are not HTTP/1.1.
    var isBroken = false

    mutating func add(_ event: Event) {
      if case .body(let count) = event, case .body(let before)? = events.last {
        events[events.count - 1] = .body(count: before + count)
      } else {
        events.append(event)
      }
    }
  }

  private static func read(_ pieces: [[UInt8]]) throws -> Reading {
    let channel = EmbeddedChannel()
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    try HTTP1Pipeline.addHandlers(to: channel.pipeline.syncOperations)
    var reading = Reading()
    for piece in pieces where !reading.isBroken && reading.events.last != .refused {
      channel.pipeline.syncOperations.fireChannelRead(NIOAny(ByteBuffer(bytes: piece)))
      channel.pipeline.syncOperations.fireChannelReadComplete()
      while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
        switch part {
        case .head(let head):
          reading.add(
            HTTP1Head.fields(of: head, isTLS: true).map { .head($0) } ?? .refused)
        case .body(let bytes): reading.add(.body(count: bytes.readableBytes))
        case .end:
          reading.add(.end)
          // The response allows the next request.
          let answer = HTTPResponseHead(version: .http1_1, status: .ok)
          _ = try? channel.writeOutbound(HTTPServerResponsePart.head(answer))
          _ = try? channel.writeOutbound(HTTPServerResponsePart.end(nil))
        }
        if reading.events.last == .refused { break }
      }
      // Not before: what is behind a request, an error too, is held back until its response.
      do { try channel.throwIfErrorCaught() } catch {
        reading.isBroken = reading.events.last != .refused
      }
    }
    return reading
  }

  private static func check(_ fields: HeaderList) throws {
    let text = "\(fields)"
    try require(fields[":method"]?.isEmpty == false, "a request has a method: \(text)")
    let path = fields[":path"] ?? ""
    try require(path.hasPrefix("/") || path == "*", "a path begins with a slash: \(text)")
    for index in 0..<fields.count {
      let name = fields.name(at: index)
      try require(
        !fields.valueBytes(at: index).contains { $0 == 0 || $0 == 10 || $0 == 13 },
        "no value holds a line end or a zero: \(text)")
      try require(
        !["transfer-encoding", "connection", "upgrade", "te", "host"].contains(name),
        "\(name) is the connection's own: \(text)")
      try require(
        !name.dropFirst().contains(":") && name == name.lowercased(), "\(name) is a name: \(text)")
    }
    let lengths = (0..<fields.count).count { fields.hasName("content-length", at: $0) }
    try require(lengths <= 1, "one length: \(text)")
  }
}
