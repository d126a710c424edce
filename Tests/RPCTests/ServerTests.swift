import HTTP2
import NIOCore
import NIOPosix
import RPC
import RPCInProcess
import TestWaiting
import Testing

@testable import RPCTransport

@Suite("Servers", .timeLimit(.minutes(1)))
struct ServerTests {
  @Test("a peer that does not speak HTTP/2 is disconnected, and others are served")
  func garbage() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      for bytes in [
        Array("GET / HTTP/1.1\r\n\r\n".utf8), [UInt8](repeating: 0, count: 10_000),
        [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
      ] {
        _ = try await speak(bytes, to: address)
        let echo = try await client.echo("still here")
        #expect(echo == "still here")
      }
      await client.shutdown()
    }
  }

  @Test("a silent peer is disconnected after the handshake timeout")
  func silence() async throws {
    var limits = ConnectionLimits()
    limits.handshakeMax = .milliseconds(50)
    try await withServer(try echoDispatcher(), limits: limits) { server, address, loops in
      _ = try await speak([], to: address)
      _ = try await speak(Array("PRI * HTTP/2.0\r\n".utf8), to: address)
    }
  }

  /// Calls a method, allows the server to send without end, and reads nothing.
  private func call(
    _ method: MethodDescriptor, _ message: [UInt8], of address: HostPort
  ) async throws -> any NIOCore.Channel {
    var generous = SessionLimits()
    generous.streamWindowBytes = .max
    generous.connectionWindowBytes = .max
    let session = try Session(.client, limits: generous)
    defer { session.close() }
    var head = OutboundFields()
    for (name, value) in [
      (":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", method.path),
      ("te", "trailers"), ("content-type", "application/grpc"),
    ] { head.add(name, value) }
    let stream = try session.submitRequest(.list(head))
    _ = session.submitData(
      stream, [0, 0, 0, UInt8(message.count >> 8), UInt8(message.count & 255)] + message)
    session.submitEnd(stream, trailers: nil)
    var bytes = ByteBuffer()
    _ = try session.drain(limit: .max) { bytes.writeBytes($0) }
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.autoRead, value: false)
      .connect(host: address.host, port: address.port).get()
    try await channel.writeAndFlush(bytes)
    return channel
  }

  @Test("a peer that does not read its responses is disconnected")
  func stalled() async throws {
    var limits = ConnectionLimits()
    limits.stallMax = .milliseconds(200)
    let witness = Witness()
    try await withServer(try echoDispatcher(witness), limits: limits) { server, address, loops in
      let message = Array("1000000 ".utf8) + [UInt8](repeating: 120, count: 10_000)
      let channel = try await call(EchoService.repeat, message, of: address)
      await witness.saw("sent 0")
      // Only the server knows that it has closed; the peer does not read.
      try await eventually { server.connectionCount == 0 }
      try? await channel.close()
    }
  }

  @Test("at the connection limit an idle connection is closed, one with a call is not")
  func tooMany() async throws {
    let witness = Witness()
    try await withServer(try echoDispatcher(witness), connectionsMax: 1) {
      server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let call: BidirectionalCall<Text, Text> = try await client.bidirectionalStreaming(
        EchoService.chat)
      await witness.saw("chatting")
      #expect(try await speak([], to: address).isEmpty)
      try await call.send("still here")
      var responses = call.responses.makeAsyncIterator()
      #expect(try await responses.next()?.text == "re: still here")
      try await call.finishSending()
      #expect(try await responses.next() == nil)
      // The client reconnects each time that another connection replaces its own.
      let other = try ClientChannel(targets: [address], loops: loops)
      var options = CallOptions()
      options.waitForReady = true
      for channel in [other, client, other] {
        #expect(try await channel.echo("x", options: options) == "x")
      }
      await other.shutdown()
      await client.shutdown()
    }
  }

  /// A service whose answers are more than sockets hold.
  private struct LargeService: RPCService {
    static let get = MethodDescriptor(service: "test.Large", name: "Get", kind: .unary)

    var methods: [MethodHandler] {
      [.unary(Self.get) { (_: Text, _) in Text(String(repeating: "x", count: 24 << 20)) }]
    }
  }

  @Test("a peer that reads nothing cedes its place within seconds at the connection limit")
  func ceding() async throws {
    let router = try Router(services: [EchoService(), LargeService()])
    try await withServer(Dispatcher(router: router), connectionsMax: 1) { server, address, loops in
      let silent = try await call(LargeService.get, [], of: address)
      // The call has ended for the service, and most of the answer is still here.
      try await eventually {
        await server.ask(Connection.self) { $0.session.openStreams > 0 && $0.runningHandlers == 0 }
          == [true]
      }
      let client = try ClientChannel(targets: [address], loops: loops)
      #expect(try await client.echo("x") == "x")
      #expect(server.connectionCount == 2)
      await server.timePasses(Connection.cedeMax)
      try await eventually { server.connectionCount == 1 }
      #expect(try await client.echo("x") == "x")
      await client.shutdown()
      try? await silent.close()
    }
  }

  /// A page that is more than sockets hold.
  private struct LargePage: ExchangeHandler {
    func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

    func serve(_ exchange: ServerExchange) async {
      await exchange.exchange.onLoop {
        let body = [UInt8](repeating: 65, count: 24 << 20)
        exchange.exchange.sendHead(
          .fields([":status": "200", "content-length": "\(body.count)"]))
        exchange.exchange.sendBody(body)
        exchange.exchange.sendEnd(.none)
      }
    }
  }

  @Test("a peer that reads nothing over HTTP/1.1 cedes its place too")
  func cedingOverHTTP1() async throws {
    let dispatcher = Dispatcher(
      router: try Router(services: [EchoService()]), handlers: [LargePage()])
    try await withServer(dispatcher, connectionsMax: 1, allowsHTTP1: true) {
      server, address, loops in
      let silent = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.autoRead, value: false)
        .connect(host: address.host, port: address.port).get()
      try await silent.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\nhost: x\r\n\r\n"))
      try await eventually {
        await server.ask(HTTP1Connection.self) { $0.waits.isForRoom && $0.runningCalls == 0 }
          == [true]
      }
      let client = try ClientChannel(targets: [address], loops: loops)
      #expect(try await client.echo("x") == "x")
      #expect(server.connectionCount == 2)
      try await eventually { server.connectionCount == 1 }
      #expect(try await client.echo("x") == "x")
      await client.shutdown()
      try? await silent.close()
    }
  }

  @Test("a content type other than gRPC's is answered with 415, a method but POST with 405")
  func contentType() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      for (verb, type, status) in [
        ("POST", "application/json", "415"), ("POST", "application/grpc-web", "415"),
        ("GET", "application/grpc", "405"),
      ] {
        let exchange = try await client.openExchange(
          RequestHead(fields: [
            ":method": verb, ":path": EchoService.unary.path, "content-type": type,
          ]))
        let head = try await exchange.head()
        #expect(head[":status"] == status)
        #expect(head["allow"] == (status == "405" ? "POST" : nil))
        await exchange.reset()
      }
      await client.shutdown()
    }
  }

  /// Answers with the host that the client meant.
  private struct HostService: RPCService {
    static let get = MethodDescriptor(service: "test.Host", name: "Get", kind: .unary)

    var methods: [MethodHandler] {
      [.unary(Self.get) { (_: Text, context) in Text(context.authority ?? "none") }]
    }
  }

  @Test("a handler learns which host the client meant", arguments: [nil, "members.example:443"])
  func authority(_ given: String?) async throws {
    let dispatcher = Dispatcher(router: try Router(services: [HostService()]))
    try await withServer(dispatcher) { server, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.authority = given
      let client = try ClientChannel(configuration: configuration, loops: loops)
      let response: ClientResponse<Text> = try await client.unary(HostService.get, Text(""))
      #expect(response.message.text == given ?? address.description)
      await client.shutdown()
    }
    let inside: ClientResponse<Text> = try await InProcessChannel(dispatcher)
      .unary(HostService.get, Text(""))
    #expect(inside.message.text == "none")
  }

  @Test("an unknown encoding is UNIMPLEMENTED and the known ones are listed")
  func encoding() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let exchange = try await client.openExchange(
        RequestHead(fields: [
          ":method": "POST", ":path": EchoService.unary.path, "te": "trailers",
          "content-type": "application/grpc", "grpc-encoding": "snappy",
        ]))
      let head = try await exchange.head()
      #expect(head["grpc-status"] == "12")
      #expect(head["grpc-accept-encoding"] == "identity,deflate,gzip")
      await client.shutdown()
    }
  }

  @Test("a unary call with two messages, none, or a truncated one is refused")
  func cardinality() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let message: [UInt8] = [0, 0, 0, 0, 1, 65]
      let bodies: [(body: [UInt8], status: String)] = [
        (message + message, "12"), ([], "12"), (Array(message.dropLast()), "13"), ([0, 0], "13"),
        (message + [0, 0], "13"), ([1] + message.dropFirst(), "13"),
      ]
      for (body, status) in bodies {
        let exchange = try await client.openExchange(RequestHead(path: EchoService.unary.path))
        if !body.isEmpty { try await exchange.send(body) }
        await exchange.finish()
        let head = try await exchange.head()
        #expect(head["grpc-status"] == status, "\(body)")
      }
      await client.shutdown()
    }
  }

  @Test("an early error is Trailers-Only")
  func trailersOnly() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let exchange = try await client.openExchange(RequestHead(path: EchoService.repeat.path))
      try await exchange.send([0, 0, 0, 0, 3] + Array("0 x".utf8))
      await exchange.finish()
      let head = try await exchange.head()
      #expect(head["grpc-status"] == "5")
      #expect(try await exchange.nextChunk() == nil)
      #expect(await exchange.trailers() == nil)
      await client.shutdown()
    }
  }

  @Test("too long error texts are truncated or left out; the code is sent")
  func longErrors() async throws {
    struct Verbose: ServerInterceptor {
      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
        throw RPCError(
          .aborted, String(repeating: "驿", count: 50_000),
          details: [UInt8](repeating: 1, count: 60_000))
      }
    }
    try await World.with(.sockets, interceptors: [Verbose()]) { world in
      let error = await failure { _ = try await world.channel.echo("x") }
      #expect(error?.code == .aborted)
      #expect(error?.message.hasPrefix("驿") == true)
      #expect(error?.details.isEmpty == true)
      for name in [":path", "grpc-encoding"] {
        var fields: HeaderList = [":method": "POST"]
        if name != ":path" { fields.add(":path", EchoService.unary.path) }
        let value = [UInt8(ascii: "/")] + [UInt8](repeating: 0xff, count: 8000)
        let bytes = Array(name.utf8)
        fields.add(name: bytes.span.bytes, value: value.span.bytes)
        fields.add(contentsOf: ["te": "trailers", "content-type": "application/grpc"])
        let exchange = try await world.channel.openExchange(RequestHead(fields: fields))
        #expect(try await exchange.head()["grpc-status"] == "12")
      }
      var options = CallOptions()
      options.metadata.add("x", String(repeating: "y", count: 70_000))
      let long = await failure { _ = try await world.channel.echo("x", options: options) }
      #expect(long?.code == .resourceExhausted)
    }
  }

  @Test("an error with the longest text and details fits into the 8 KiB that others accept")
  func errorSize() async throws {
    struct Verbose: ServerInterceptor {
      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
        let size = context.metadata[text: "x-size"].flatMap { Int($0) } ?? 0
        throw RPCError(
          .aborted, String(repeating: "驿", count: 5_000),
          details: [UInt8](repeating: 1, count: size))
      }
    }
    try await World.with(.sockets, interceptors: [Verbose()]) { world in
      for size in [0, 1_000, 4_608, 4_609] {
        var request = RequestHead(path: EchoService.unary.path).fields
        request.add("x-size", "\(size)")
        let exchange = try await world.channel.openExchange(RequestHead(fields: request))
        try await exchange.send([0, 0, 0, 0, 0])
        await exchange.finish()
        let head = try await exchange.head()
        #expect(head["grpc-status"] == "10")
        #expect((head["grpc-message"]?.utf8.count ?? 0) > 1_000)
        #expect((head["grpc-status-details-bin"] != nil) == (1...4_608).contains(size))
        let listSize = (0..<head.count).reduce(0) {
          $0 + head.name(at: $1).utf8.count + head.value(at: $1).utf8.count + 32
        }
        #expect(listSize <= 8_192 - 512)
      }
    }
  }

  @Test("a graceful stop lets running calls end and accepts no new ones")
  func gracefulStop() async throws {
    let witness = Witness()
    try await withServer(try echoDispatcher(witness)) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let call: BidirectionalCall<Text, Text> = try await client.bidirectionalStreaming(
        EchoService.chat)
      await witness.saw("chatting")
      async let stop: Void = server.shutdown(grace: .seconds(20))
      // The client gets the GOAWAY and leaves the connection; there is no other.
      var refused: RPCError?
      while refused == nil { refused = await failure { _ = try await client.echo("new") } }
      #expect(refused?.code == .unavailable)
      try await call.send("last words")
      var responses = call.responses.makeAsyncIterator()
      #expect(try await responses.next()?.text == "re: last words")
      try await call.finishSending()
      #expect(try await responses.next() == nil)
      await stop
      #expect(server.connectionCount == 0)
      await client.shutdown()
    }
  }

  @Test("a graceful stop waits until a slow peer has read its last responses")
  func lastAnswers() async throws {
    let service = HoldingService()
    let dispatcher = Dispatcher(router: try Router(services: [service]))
    try await withServer(dispatcher) { server, address, _ in
      var limits = SessionLimits()
      limits.streamWindowBytes = 64 << 20
      limits.connectionWindowBytes = 64 << 20
      let session = try Session(.client, limits: limits)
      defer { session.close() }
      var head = OutboundFields()
      for (name, value) in [
        (":method", "POST"), (":scheme", "http"), (":authority", "x"),
        (":path", HoldingService.pour.path), ("te", "trailers"),
        ("content-type", "application/grpc"),
      ] { head.add(name, value) }
      let stream = try session.submitRequest(.list(head))
      // The request fits in the peer's initial window; the responses fit in no buffer.
      let count = 1000
      let message = String(repeating: "x", count: 40 << 10)
      _ = session.submitData(stream, try MessageFramer.frame(Text("\(count) \(message)")))
      session.submitEnd(stream, trailers: nil)
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.autoRead, value: false)
        .connect(host: address.host, port: address.port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
          }
        }
      try await channel.executeThenClose { inbound, outbound in
        func say() async throws {
          var bytes = ByteBuffer()
          _ = try session.drain(limit: .max) { bytes.writeBytes($0) }
          if bytes.readableBytes > 0 { try await outbound.write(bytes) }
        }
        try await say()
        await service.witness.saw("sent 1")
        try await channel.channel.setOption(.autoRead, value: true).get()
        async let stop: Void = server.shutdown(grace: .seconds(50))
        var (received, hasTrailers) = (0, false)
        for try await buffer in inbound {
          try session.receive(buffer.readableBytesSpan, nowNanoseconds: 0)
          for event in session.events {
            if case .data(let stream, _, let count) = event {
              received += count
              session.consume(stream, count)
            }
            if case .trailers = event { hasTrailers = true }
          }
          session.removeEvents()
          try await say()
        }
        await stop
        #expect(received == count * (message.utf8.count + 5))
        #expect(hasTrailers)
      }
    }
  }

  @Test("a stop whose grace period is over cancels running calls")
  func hardStop() async throws {
    let witness = Witness()
    try await withServer(try echoDispatcher(witness)) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      async let error = failure { _ = try await client.call(EchoService.wait, "x") }
      await witness.saw("started")
      await server.shutdown(grace: .milliseconds(20))
      #expect(witness.events.contains("returned"))
      #expect(await error?.code == .unavailable)
      await client.shutdown()
    }
  }

  @Test("handlers over the connection's limit are refused, and the client tries again")
  func handlerLimit() async throws {
    var limits = ConnectionLimits()
    limits.runningHandlersMax = 1
    let witness = Witness()
    try await withServer(try echoDispatcher(witness), limits: limits) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let first = Task { await failure { _ = try await client.call(EchoService.wait, "x") } }
      await witness.saw("started")
      #expect(await failure { _ = try await client.echo("x") }?.code == .unavailable)
      first.cancel()
      await witness.saw("returned")
      _ = await first.value
      let echo = try await client.echo("x")
      #expect(echo == "x")
      await client.shutdown()
    }
  }
}
