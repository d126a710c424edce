import Dispatch
import Glibc
import RPC
import Synchronization
import TestWaiting
import Testing

@testable import RPCTransport

/// What a client that leaves with much unread costs the others of its loop.
@Suite("A client that leaves", .timeLimit(.minutes(1)))
struct DepartureTests {
  /// Counts the calls that reach a handler.
  private final class Begun: ServerInterceptor {
    let count = Atomic(0)

    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      count.add(1, ordering: .relaxed)
      try await next()
    }
  }

  /// Raw HTTP/2 frames that our own client would not send.
  private enum Frames {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, [])

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ body: [UInt8]) -> [UInt8] {
      let length = [UInt8(body.count >> 16), UInt8(body.count >> 8 & 255), UInt8(body.count & 255)]
      let id = (0..<4).map { UInt8(truncatingIfNeeded: stream >> (24 - 8 * $0)) }
      return length + [type, flags] + id + body
    }

    /// Returns the head of a call, with as much as possible by its number in the static table.
    static func shortHead(_ path: String, on stream: UInt32) -> [UInt8] {
      // :method POST and :scheme http.
      var head: [UInt8] = [0x83, 0x86]
      let fields: [(name: [UInt8], value: String)] = [
        ([4], path), ([1], "x"), ([0, 2] + Array("te".utf8), "trailers"),
        ([15, 16], "application/grpc"),
      ]
      for (name, value) in fields {
        head += name + [UInt8(value.utf8.count)]
        head += value.utf8
      }
      return frame(1, 4, stream, head)
    }

    /// Returns a complete unary call with an empty message.
    static func call(_ path: String, on stream: UInt32) -> [UInt8] {
      var head: [UInt8] = []
      for (name, value) in [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
        ("te", "trailers"), ("content-type", "application/grpc"),
      ] {
        head += [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
      }
      return frame(1, 4, stream, head) + frame(0, 1, stream, [0, 0, 0, 0, 0])
    }
  }

  /// Connects, sends everything and closes, without waiting for a reader.
  private static func sendAndLeave(_ bytes: [UInt8], to address: HostPort) throws {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(socket >= 0)
    defer { close(socket) }
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = in_port_t(UInt16(address.port).bigEndian)
    target.sin_addr.s_addr = inet_addr(address.host)
    let connected = withUnsafePointer(to: &target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(connected == 0)
    let sent = bytes.withUnsafeBytes {
      send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    try #require(sent == bytes.count)
  }

  /// Returns how many calls began while a client that sent these bytes was gone before anybody read
  /// them, and another one, accepted after it, was served one call.
  private static func callsBegun(afterLeaving bytes: [UInt8]) async throws -> Int {
    let begun = Begun()
    let dispatcher = Dispatcher(
      router: try Router(services: [EchoService()], interceptors: [begun]))
    try await withServer(dispatcher) { server, address, loops in
      let gone = DispatchSemaphore(value: 0)
      for loop in loops.all { loop.execute { gone.wait() } }
      try sendAndLeave(bytes, to: address)
      for _ in loops.all { gone.signal() }
      let channel = try ClientChannel(targets: [address], loops: loops)
      #expect(try await channel.echo("still there") == "still there")
      await channel.shutdown()
      try await eventually { server.connectionCount == 0 }
    }
    return begun.count.load(ordering: .relaxed)
  }

  @Test("unread requests of a client that left are dropped, not served in one go")
  func flood() async throws {
    let calls = 300
    let bytes = (0..<UInt32(calls)).flatMap {
      Frames.call(EchoService.unary.path, on: 2 * $0 + 1)
    }
    let begun = try await Self.callsBegun(afterLeaving: Frames.preface + bytes)
    #expect(begun < calls / 2)
  }

  @Test("of a client that left only a few calls begin, however short they are")
  func shortCalls() async throws {
    let bytes = (0..<UInt32(200)).flatMap {
      Frames.shortHead(EchoService.chat.path, on: 2 * $0 + 1)
    }
    // Sixteen, what the read before them and the one that reaches the limit hold, and the echo.
    let begun = try await Self.callsBegun(afterLeaving: Frames.preface + bytes)
    #expect((1...40).contains(begun))
  }
}
