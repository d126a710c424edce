import NIOCore
import NIOPosix
import NIOSSL
import RPC
import TestWaiting
import Testing

@testable import RPCTransport

/// Echoes what it got: method, target and body, in chunks.
private struct Mirror: ExchangeHandler {
  /// SwiftNIO's largest read of a socket, where a server does not configure another.
  private static let readBytesMax = 64 << 10

  func claims(_ head: RequestHead) -> Bool { !head.isGRPC && head.path != "/nobody" }

  func serve(_ exchange: ServerExchange) async {
    var body: [UInt8] = []
    do {
      if exchange.head.path == "/slow" { try await waitUntilFull(exchange) }
      while let chunk = try await exchange.nextChunk() {
        // At most the buffer's limit, plus the read that exceeded it.
        #expect(chunk.count <= Int(ConnectionLimits().streamWindowBytes) + Self.readBytesMax)
        body += chunk
      }
      let fields = exchange.head.fields
      await exchange.sendHead([":status": "200", "x-fields": "\(fields.count)"])
      let text = "\(exchange.head.method) \(exchange.head.path) \(body.count)"
      try await exchange.send(Array(text.utf8))
      await exchange.finish(trailers: exchange.head.path == "/trailers" ? ["x-last": "1"] : nil)
    } catch {
      await exchange.reset(.cancel)
    }
  }

  /// Reads nothing until the client may send no more.
  private func waitUntilFull(_ exchange: ServerExchange) async throws {
    let window = Int(ConnectionLimits().streamWindowBytes)
    while await exchange.exchange.onLoop({ exchange.inbox.unreadBytes < window }) {
      // A pause instead of a yield: this runs on the loop that has to read meanwhile.
      try await Task.sleep(for: .milliseconds(1))
    }
    for _ in 0..<200 { await exchange.exchange.onLoop { await Task.yield() } }
  }
}

@Suite("HTTP/1.1 beside HTTP/2", .timeLimit(.minutes(5)))
struct HTTP1Tests {
  private func with(
    tls: ServerTLS? = nil, limits: ConnectionLimits = .init(),
    _ body: (HostPort, EventLoops) async throws -> Void
  ) async throws {
    let dispatcher = Dispatcher(
      router: try Router(services: [EchoService(witness: Witness())]), handlers: [Mirror()])
    try await withServer(dispatcher, tls: tls, limits: limits, allowsHTTP1: true) {
      _, address, loops in try await body(address, loops)
    }
  }

  private func ask(_ text: String, _ address: HostPort) async throws -> String {
    String(decoding: try await speak(Array(text.utf8), to: address), as: UTF8.self)
  }

  @Test("pipelined requests are answered in order, and the connection is kept until one ends it")
  func pipelining() async throws {
    try await with { address, _ in
      let answer = try await ask(
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
          + "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
          + "HEAD /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", address)
      let chunked = "transfer-encoding: chunked\r\n\r\n"
      #expect(
        answer == "HTTP/1.1 200 OK\r\nx-fields: 4\r\n\(chunked)8\r\nGET /a 0\r\n0\r\n\r\n"
          + "HTTP/1.1 200 OK\r\nx-fields: 5\r\n\(chunked)9\r\nPOST /b 3\r\n0\r\n\r\n"
          + "HTTP/1.1 200 OK\r\nx-fields: 4\r\nconnection: close\r\n\(chunked)")
    }
  }

  @Test(
    "a malformed request behind a valid one is refused in its turn, and the connection closed",
    arguments: ["hello\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"])
  func pipelinedMalformation(_ malformed: String) async throws {
    try await with { address, _ in
      let answer = try await ask(
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\n\(malformed)GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
        address)
      #expect(
        answer == "HTTP/1.1 200 OK\r\nx-fields: 4\r\ntransfer-encoding: chunked\r\n\r\n"
          + "8\r\nGET /a 0\r\n0\r\n\r\n"
          + "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
          + "content-length: 98\r\nconnection: close\r\n\r\n"
          + "{\"code\":3,\"message\":\"请求不符合 HTTP/1.1。 The request is not valid HTTP/1.1.\","
          + "\"details\":[]}")
    }
  }

  @Test("a request to change the protocol is answered as any other, and ends the connection")
  func upgrade() async throws {
    try await with { address, _ in
      let answer = try await ask(
        "GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
          + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n", address)
      #expect(
        answer == "HTTP/1.1 200 OK\r\nx-fields: 4\r\nconnection: close\r\n"
          + "transfer-encoding: chunked\r\n\r\n8\r\nGET /a 0\r\n0\r\n\r\n")
    }
  }

  @Test("what comes behind a request for a tunnel is not read")
  func tunnel() async throws {
    try await with { address, _ in
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: address.host, port: address.port).get()
      try await channel.writeAndFlush(
        ByteBuffer(string: "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"))
      // More than the socket buffers hold. Each write ends when they have taken it, or the
      // connection is closed.
      let piece = ByteBuffer(repeating: 65, count: 1 << 20)
      var sent = 0
      while sent < 256, (try? await channel.writeAndFlush(piece)) != nil { sent += 1 }
      #expect(sent < 64)
      try? await channel.close()
    }
  }

  @Test("chunked bodies, trailers, HTTP/1.0, absolute targets and Expect: 100-continue are handled")
  func forms() async throws {
    try await with { address, _ in
      let chunks = try await ask(
        "PUT /trailers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
          + "\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", address)
      #expect(chunks.contains("PUT /trailers 5\r\n0\r\nx-last: 1\r\n\r\n"))
      let old = try await ask("GET /old HTTP/1.0\r\n\r\n", address)
      #expect(old.hasPrefix("HTTP/1.0 200 OK\r\n") && old.hasSuffix("\r\n\r\nGET /old 0"))
      let absolute = try await ask(
        "GET http://x/y?z=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", address)
      #expect(absolute.contains("GET /y?z=1 0"))
      let wish = try await ask(
        "POST /w HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
          + "Content-Length: 1\r\n\r\na", address)
      #expect(wish.hasPrefix("HTTP/1.1 200 OK\r\n"), "whoever sends the body waits for nothing")
      let nobody = try await ask(
        "GET /nobody HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", address)
      #expect(nobody.hasPrefix("HTTP/1.1 415 "))
    }
  }

  @Test(
    "an ambiguous request, or one for another protocol, is refused",
    arguments: [
      ("GET / HTTP/1.1\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
      (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400"
      ),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "400"),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", nil),
      ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: a\r\nx: \u{1}\r\n\r\n", "400"),
      ("GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
      ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400"),
      ("GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
      ("FOO / HTTP/1.1\r\nHost: a\r\n\r\n", "400"), ("FOO\r\n\r\n", "400"),
      (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n\u{1}\r\nGET /\r\n",
        "400"
      ),
      ("GET / HTTP/3.7\r\nHost: a\r\n\r\n", "400"),
      ("hello\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nHost: a\r\nx: \(String(repeating: "y", count: 20_000))\r\n\r\n", "431"),
      ("GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "x: y\r\n", count: 200))\r\n", "431"),
      ("POST /e HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n\r\n", "505"),
    ] as [(String, String?)])
  func refusals(_ bytes: String, _ status: String?) async throws {
    try await with { address, _ in
      let answer = try await ask(bytes, address)
      if let status {
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
        #expect(answer.ranges(of: "HTTP/1.1 ").count == 1, "one answer: \(answer)")
        #expect(answer.contains("{\"code\":"), "a status in JSON: \(answer)")
      } else {
        #expect(!answer.contains("200 OK"))
      }
    }
  }

  @Test(
    "every form of a host is taken", arguments: ["a", "a.b:8443", "[::1]", "[::1]:80", "a_b", ""])
  func hosts(_ host: String) async throws {
    try await with { address, _ in
      let answer = try await ask(
        "GET / HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n", address)
      #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
    }
  }

  @Test(
    "a chunked body that is mostly framing is refused before much of it is read",
    arguments: [
      "1;" + String(repeating: "x", count: 2 << 20), String(repeating: "0", count: 100_000) + "1",
      String(repeating: "1;" + String(repeating: "x", count: 1_000) + "\r\na\r\n", count: 1_000),
    ])
  func framing(_ start: String) async throws {
    try await with { address, _ in
      let answer = try await ask(
        "POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\(start)\r\na\r\n"
          + "0\r\n\r\n", address)
      #expect(!answer.contains("200 OK"), "\(answer)")
    }
  }

  @Test("chunks of one byte are no framing attack, however many there are")
  func smallChunks() async throws {
    try await with { address, _ in
      let chunks = String(repeating: "1\r\nx\r\n", count: 50_000)
      let answer = try await ask(
        "POST /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "\(chunks)0\r\n\r\n", address)
      #expect(answer.contains("POST /f 50000"), "\(answer)")
    }
  }

  @Test("a client that waits to be asked for the body is asked; one of HTTP/1.0 is not")
  func continuing() async throws {
    var limits = ConnectionLimits()
    limits.stallMax = .milliseconds(50)
    try await with(limits: limits) { address, _ in
      for version in ["1.1", "1.0"] {
        let answer = try await ask(
          "POST /w HTTP/\(version)\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"
            + "\r\n", address)
        let isAsked = answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(isAsked == (version == "1.1"), "\(answer)")
      }
    }
  }

  /// Answers a stalled request with 408; `/stream` may pause.
  private struct Patient: ExchangeHandler {
    func claims(_ head: RequestHead) -> Bool { true }

    func serve(_ exchange: ServerExchange) async {
      await exchange.exchange.onLoop {
        exchange.exchange.awaitsRequest = exchange.head.path != "/stream"
      }
      var status = "200"
      do {
        while try await exchange.nextChunk() != nil {}
      } catch {
        status = (error as? RPCError)?.code == .deadlineExceeded ? "408" : "400"
      }
      await exchange.sendHead([":status": status], endsStream: true)
    }
  }

  @Test(
    "a stalled request gets an answer; a stream of requests may pause", arguments: [true, false])
  func pauses(isStream: Bool) async throws {
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [Patient()])
    var limits = ConnectionLimits()
    limits.stallMax = .milliseconds(50)
    try await withServer(dispatcher, limits: limits, allowsHTTP1: true) { _, address, _ in
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: address.host, port: address.port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
          }
        }
      let head = "POST \(isStream ? "/stream" : "/one") HTTP/1.1\r\nHost: x\r\n"
      try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(
          ByteBuffer(string: head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"))
        if isStream {
          // Several times the limit: there is nothing to wait for but silence.
          try await Task.sleep(for: .milliseconds(300))
          try await outbound.write(ByteBuffer(string: "1\r\nb\r\n0\r\n\r\n"))
        }
        var answer = ""
        for try await buffer in inbound {
          answer += String(buffer: buffer)
          break
        }
        #expect(answer.hasPrefix("HTTP/1.1 \(isStream ? 200 : 408) "), "\(answer)")
      }
    }
  }

  /// Refuses a request when its head has arrived, or the first bytes of its body.
  private struct Refuser: ExchangeHandler {
    func claims(_ head: RequestHead) -> Bool { true }

    func take(_ exchange: ServerExchange) -> Bool {
      let refusal = Refusal(exchange)
      if exchange.head.path == "/body" {
        exchange.exchange.listener = refusal
      } else {
        refusal.exchangeChanged(exchange.exchange)
      }
      return true
    }

    func serve(_ exchange: ServerExchange) async {}
  }

  private final class Refusal: ExchangeListener {
    private let refused: ServerExchange

    init(_ refused: ServerExchange) { self.refused = refused }

    func exchangeChanged(_ exchange: Exchange) {
      exchange.listener = nil
      exchange.sendHead(.fields([":status": "413"]), endsStream: true)
      refused.ended()
    }
  }

  @Test(
    "a request that is refused before its end ends the connection, even if the client waits",
    .timeLimit(.minutes(1)), arguments: ["/head", "/body"])
  func earlyRefusal(_ path: String) async throws {
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [Refuser()])
    try await withServer(dispatcher, allowsHTTP1: true) { _, address, _ in
      let answer = try await ask(
        "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na", address)
      #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
    }
  }

  @Test("a client that is silent, or slow with its head, is disconnected")
  func silence() async throws {
    var limits = ConnectionLimits()
    limits.headersMax = .milliseconds(50)
    limits.handshakeMax = .milliseconds(50)
    try await with(limits: limits) { address, _ in
      for start in ["", "GET / HTTP/1.1\r\nHo", "PR"] {
        let answer = try await ask(start, address)
        #expect(answer == "")
      }
    }
  }

  @Test("a body that nobody consumes stops the reading")
  func backpressure() async throws {
    try await with { address, _ in
      let size = 8 << 20
      let body = String(repeating: "x", count: size)
      let answer = try await ask(
        "POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(size)\r\n\r\n"
          + body, address)
      #expect(answer.contains("POST /slow \(size)"))
    }
  }

  /// Responds at once with more than a connection buffers, before the request has ended.
  private struct Pourer: ExchangeHandler {
    static let bytes = 8 << 20

    func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

    func serve(_ exchange: ServerExchange) async {
      await exchange.exchange.onLoop {
        exchange.exchange.sendHead(
          .fields([":status": "200", "content-length": "\(Self.bytes)"]))
        exchange.exchange.sendBody([UInt8](repeating: 65, count: Self.bytes))
        if exchange.head.path == "/whole" { exchange.exchange.sendEnd(.none) }
      }
      if exchange.head.path == "/whole" { return }
      // The end of the request, or of the connection, arrives here.
      while (try? await exchange.nextChunk()) != nil {}
      // A handler that never returns by itself: the test is about its cancellation.
      try? await Task.sleep(for: .seconds(3600))
    }
  }

  /// Waits until the server's only connection is in that waiting state.
  private func until(_ server: Server, isForClient: Bool, isForRoom: Bool) async throws {
    try await eventually {
      let waits = await server.ask(HTTP1Connection.self) { $0.waits }
      return waits.count == 1 && waits[0] == (isForClient, isForRoom)
    }
  }

  @Test("a client that does not read its response is waited for, whatever else it sends")
  func slowReaders() async throws {
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [Pourer()])
    try await withServer(dispatcher, allowsHTTP1: true) { server, address, _ in
      for (path, isWhole) in [("/part", false), ("/whole", true)] {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
          .channelOption(.autoRead, value: false)
          .connect(host: address.host, port: address.port).get()
        let head = "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        if isWhole {
          // Both are over except for unread output; then the next request is awaited.
          try await channel.writeAndFlush(ByteBuffer(string: head + "ab"))
          try await until(server, isForClient: false, isForRoom: true)
          try await channel.setOption(.autoRead, value: true).get()
          try await until(server, isForClient: true, isForRoom: false)
        } else {
          try await channel.writeAndFlush(ByteBuffer(string: head + "a"))
          try await until(server, isForClient: true, isForRoom: true)
          try await channel.writeAndFlush(ByteBuffer(string: "b"))
          try await until(server, isForClient: false, isForRoom: true)
        }
        try await channel.close()
        try await eventually { server.connectionCount == 0 }
      }
    }
  }

  /// What ends a connection whose last response is still being read, with its request.
  enum Ending: String, CaseIterable {
    /// The request said that it is the last.
    case request = "GET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    /// The response came before the end of the request, which then arrives.
    case rest = "POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na"
    /// The server stops.
    case drain = "GET /whole HTTP/1.1\r\nHost: x\r\n\r\n"
  }

  @Test(
    "the last response of a connection is sent completely, however slowly it is read",
    arguments: Ending.allCases)
  func lastAnswer(_ ending: Ending) async throws {
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [Pourer()])
    try await withServer(dispatcher, allowsHTTP1: true) { server, address, _ in
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.autoRead, value: false)
        .connect(host: address.host, port: address.port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
          }
        }
      try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: ending.rawValue))
        try await until(server, isForClient: ending != .drain, isForRoom: true)
        let stop = ending == .drain ? Task { await server.shutdown() } : nil
        switch ending {
        case .request: break
        case .rest: try await outbound.write(ByteBuffer(string: "b"))
        case .drain:
          try await eventually {
            await server.ask(HTTP1Connection.self) { $0.isDraining } != [false]
          }
        }
        try await channel.channel.setOption(.autoRead, value: true).get()
        var count = 0
        for try await buffer in inbound { count += buffer.readableBytes }
        #expect(count > Pourer.bytes)
        await stop?.value
      }
    }
  }

  @Test(
    "what follows the last request of a connection does not cut off its response",
    arguments: ["GET /b HTTP/1.1\r\nHost: x\r\n\r\n", "hello\r\n\r\n"])
  func behindTheLast(_ rest: String) async throws {
    try await with { address, _ in
      let answer = try await ask(
        "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n\(rest)", address)
      #expect(
        answer == "HTTP/1.1 200 OK\r\nx-fields: 4\r\nconnection: close\r\n"
          + "transfer-encoding: chunked\r\n\r\n8\r\nGET /a 0\r\n0\r\n\r\n")
    }
  }

  @Test("gRPC is served on the same port, in plaintext and with TLS")
  func sameAddress() async throws {
    try await with { address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      let echo = try await channel.echo("a")
      #expect(echo == "a")
      await channel.shutdown()
    }
    let certificates = try TestCertificates()
    try await with(tls: certificates.server) { address, loops in
      let channel = try ClientChannel(targets: [address], tls: certificates.client, loops: loops)
      let echo = try await channel.echo("b")
      #expect(echo == "b")
      await channel.shutdown()
      // Many clients of HTTP/1.1 do without ALPN.
      for offer in [["http/1.1"], ["ftp"], []] {
        let answer = try await speak(
          Array("GET /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8), to: address,
          offering: offer)
        #expect(String(decoding: answer, as: UTF8.self).contains("GET /t 0"), "\(offer)")
      }
    }
  }
}
