import NIOCore
import NIOPosix
import RPC
import Synchronization
import TestWaiting
import Testing

@testable import RPCTransport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The memory that all connections of a server share for messages that are not whole.
@Suite("Memory of incomplete messages", .timeLimit(.minutes(2)))
struct HeldMemoryTests {
  // MARK: - By numbers alone

  /// What one more connection gets, in pieces as they arrive, at most `most`.
  private func taken(of all: HeldMemory, upTo most: Int = .max, givesBack: Bool = false) -> Int {
    var share = HeldShare(of: all, limits: ConnectionLimits())
    while share.bytes < most {
      let piece = min(16 << 10, most - share.bytes)
      guard share.add(piece) == .granted else {
        _ = share.add(-piece)
        break
      }
    }
    let taken = share.bytes
    if givesBack { #expect(share.add(-taken) == .granted) }
    return taken
  }

  @Test("who takes all he gets leaves an ordinary message room, over a hundred times")
  func greed() {
    let server = ServerConfiguration(address: HostPort(host: "127.0.0.1", port: 0))
    let all = HeldMemory(bytesMax: server.heldBytesMax)
    let message = CallLimits().messageBytesMax
    var greedy: [Int] = []
    while taken(of: all, upTo: message, givesBack: true) == message {
      greedy.append(taken(of: all))
      guard greedy.count < 10_000 else { break }
    }
    #expect((100..<200).contains(greedy.count))
    // The first have what a connection may hold, the others one message each.
    let limits = ConnectionLimits()
    #expect(greedy[..<3].allSatisfy { $0 == limits.heldBytesMax })
    #expect(greedy[5...].allSatisfy { $0 < limits.littleHeldBytesMax + HeldMemory.stepBytes })
    // Below a step nobody is refused.
    #expect(taken(of: all) >= HeldMemory.stepBytes - (16 << 10))
  }

  @Test("a client's connection is not limited")
  func client() {
    var share = HeldShare(of: nil, limits: ConnectionLimits())
    #expect(share.add(1 << 30) == .granted)
    #expect(share.bytes == 1 << 30)
  }

  @Test("the error says whose memory is exhausted, and what to do")
  func texts() {
    #expect(HeldVerdict.granted.refusal == nil)
    for (verdict, text) in [
      (
        HeldVerdict.connectionIsFull,
        "the requests of this connection take too much memory: send fewer of them at once"
      ),
      (
        .serverIsFull(bytes: 1 << 30, ownBytes: 100_000),
        "the server is busy with 1073741824 bytes of requests, 100000 of them of this connection: "
          + "retry later"
      ),
    ] {
      #expect(verdict.refusal?.code == .resourceExhausted)
      #expect(verdict.refusal?.message == text)
    }
  }

  // MARK: - Over HTTP/2

  /// Begins a call with that much of a message of 1 MiB, on a connection of its own.
  private func begin(
    _ bytes: Int, of method: MethodDescriptor = EchoService.unary, _ address: HostPort,
    _ loops: EventLoops
  ) async throws -> (client: ClientChannel, call: ClientExchange) {
    let client = try ClientChannel(targets: [address], loops: loops)
    let call = try await client.openExchange(RequestHead(path: method.path))
    try await call.send([0, 0, 0x10, 0, 0] + [UInt8](repeating: 65, count: bytes - 5))
    return (client, call)
  }

  private static func kibibytes(_ count: Int) -> Int { count << 10 }

  @Test("while more than half is held, a connection with more than a little gets no more")
  func halves() async throws {
    var limits = ConnectionLimits()
    limits.littleHeldBytesMax = 256 << 10
    try await withServer(try echoDispatcher(), limits: limits, heldBytesMax: 2 << 20) {
      server, address, loops in
      func held(_ expected: Int...) async throws {
        let bytes = expected.map(Self.kibibytes)
        try await eventually {
          await server.ask(Connection.self) { $0.held.bytes }.filter { $0 > 0 }.sorted() == bytes
        }
      }
      let (first, much) = try await begin(1000 << 10, address, loops)
      try await held(1000)
      let (second, little) = try await begin(200 << 10, address, loops)
      try await held(200, 1000)
      #expect(server.heldMemory.bytes == 18 * HeldMemory.stepBytes)
      let (third, refused) = try await begin(400 << 10, address, loops)
      let head = try await refused.head()
      #expect(head["grpc-status"] == "8")
      let text = try #require(head["grpc-message"])
      #expect(text.hasPrefix("the server is busy with 15") && text.hasSuffix("retry later"))
      try await held(200, 1000)
      // What it may still have is an ordinary message.
      let again = try await third.openExchange(RequestHead(path: EchoService.unary.path))
      try await again.send([0, 0, 0x10, 0, 0] + [UInt8](repeating: 65, count: (256 << 10) - 5))
      try await held(200, 256, 1000)
      // The one that holds most cannot go on, and makes room for all.
      try await much.send([UInt8](repeating: 65, count: 20 << 10))
      #expect(try await much.head()["grpc-status"] == "8")
      try await held(200, 256)
      try await little.send([UInt8](repeating: 65, count: 300 << 10))
      try await held(256, 500)
      for client in [first, second, third] { await client.shutdown() }
      try await eventually { server.heldMemory.bytes == 0 }
    }
  }

  /// How the calls of a connection end before their messages are whole.
  enum End: String, CaseIterable, CustomTestStringConvertible {
    case cancellation, deadline, close, reset, serversClose

    var testDescription: String { rawValue }
  }

  @Test(
    "a call that is cancelled and a connection that is lost give back what they held",
    arguments: End.allCases, [EchoService.unary, EchoService.collect])
  func givenBack(_ end: End, _ method: MethodDescriptor) async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let timeout: Duration? = end == .deadline ? .milliseconds(500) : nil
      // More than are ended at once.
      for _ in 0..<20 {
        let call = try await client.openExchange(
          RequestHead(path: method.path, timeout: timeout))
        try await call.send([0, 0, 0x10, 0, 0] + [UInt8](repeating: 65, count: 30_000))
        if end == .cancellation {
          try await eventually { await Self.held(server) > 0 }
          await call.reset()
          try await eventually { await Self.held(server) == 0 }
        }
      }
      if ![.cancellation, .deadline].contains(end) {
        try await eventually { await Self.held(server) == 20 * 30_005 }
        #expect(server.heldMemory.bytes == 9 * HeldMemory.stepBytes)
      }
      switch end {
      case .cancellation, .deadline: break
      case .close: await client.shutdown()
      case .reset: try await Self.resetConnection(of: client)
      case .serversClose: _ = await server.ask(Connection.self) { $0.close("for the test") }
      }
      try await eventually { server.heldMemory.bytes == 0 }
      try await eventually { await Self.held(server) == 0 }
      if end != .close { await client.shutdown() }
    }
  }

  private static func held(_ server: Server) async -> Int {
    await server.ask(Connection.self) { $0.held.bytes }.reduce(0, +)
  }

  /// Closes a client's connection as a machine that is gone does: by RST.
  private static func resetConnection(of client: ClientChannel) async throws {
    let connection = try #require(client.state.withLock { $0.connections.values.first })
    try await connection.executor.eventLoop.submit {
      let options = connection.context?.channel as? any SocketOptionProvider
      _ = options?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
      connection.close("for the test")
    }.get()
  }

  // MARK: - Bodies that a handler gathers

  /// Gathers a body of HTTP and counts it, as the gateway's faces do.
  private struct Gatherer: ExchangeHandler {
    let witness: Witness

    func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

    func serve(_ exchange: ServerExchange) async {
      var count = 0
      do {
        while let chunk = try await exchange.nextChunk() {
          count += chunk.count
          if let error = await hold(count, exchange).refusal { throw error }
          guard count >= 100_000 else { continue }
          if exchange.head.path == "/reset" { return await exchange.reset(.cancel) }
          if exchange.head.path == "/early" { break }
        }
        await exchange.sendHead([":status": "200"], endsStream: true)
      } catch {
        // What is counted now, nobody gives back.
        _ = await hold(count + 500_000, exchange)
        await exchange.sendHead([":status": "503"], endsStream: true)
        witness.note("failed")
      }
    }

    private func hold(_ count: Int, _ exchange: ServerExchange) async -> HeldVerdict {
      await exchange.exchange.onLoop { exchange.exchange.hold(count) }
    }
  }

  private func withGatherer(
    heldBytesMax: Int = 1 << 30,
    _ body: (Server, HostPort, EventLoops, Witness) async throws -> Void
  ) async throws {
    let witness = Witness()
    let dispatcher = Dispatcher(
      router: try Router(services: []), handlers: [Gatherer(witness: witness)])
    try await withServer(dispatcher, allowsHTTP1: true, heldBytesMax: heldBytesMax) {
      try await body($0, $1, $2, witness)
    }
  }

  /// Connects and posts a body of 200,000 bytes but for its end.
  private func post(_ address: HostPort, path: String = "/") async throws -> any NIOCore.Channel {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: address.host, port: address.port).get()
    let head = "POST \(path) HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n"
    try await channel.writeAndFlush(
      ByteBuffer(string: head + String(repeating: "a", count: 150_000)))
    return channel
  }

  private static func heldByHTTP1(_ server: Server) async -> [Int] {
    await server.ask(HTTP1Connection.self) { $0.held.bytes }
  }

  @Test("a body over HTTP/1.1 counts until it is whole, and the connection goes on")
  func wholeBody() async throws {
    try await withGatherer { server, address, _, _ in
      let channel = try await post(address)
      for _ in 0..<2 {
        try await eventually { await Self.heldByHTTP1(server) == [150_000] }
        #expect(server.heldMemory.bytes == 2 * HeldMemory.stepBytes)
        try await channel.writeAndFlush(ByteBuffer(repeating: 65, count: 50_000))
        try await eventually { await Self.heldByHTTP1(server) == [0] }
        #expect(server.heldMemory.bytes == 0)
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n"
        try await channel.writeAndFlush(
          ByteBuffer(string: head + String(repeating: "a", count: 150_000)))
      }
      try await channel.close()
      try await eventually { server.heldMemory.bytes == 0 }
    }
  }

  @Test("a body over HTTP/1.1 that ends early gives back what it held", arguments: End.allCases)
  func cutBody(_ end: End) async throws {
    try await withGatherer { server, address, _, witness in
      let path = [End.cancellation: "/reset", .deadline: "/early"][end] ?? "/"
      let channel = try await post(address, path: path)
      if path == "/" {
        try await eventually { await Self.heldByHTTP1(server) == [150_000] }
        #expect(server.heldMemory.bytes == 2 * HeldMemory.stepBytes)
      }
      switch end {
      case .cancellation, .deadline: break
      case .close: try await channel.close()
      case .reset:
        let options = channel as? any SocketOptionProvider
        try await options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try await channel.close()
      case .serversClose: _ = await server.ask(HTTP1Connection.self) { $0.close("for the test") }
      }
      if path == "/" { await witness.saw("failed") }
      try await eventually { await Self.heldByHTTP1(server).allSatisfy { $0 == 0 } }
      try await eventually { server.heldMemory.bytes == 0 }
      try? await channel.close()
    }
  }

  @Test("bodies over HTTP/1.1 and messages over HTTP/2 share one limit")
  func shared() async throws {
    try await withGatherer(heldBytesMax: 256 << 10) { server, address, loops, witness in
      let first = try await post(address)
      let second = try await post(address)
      try await eventually { server.heldMemory.bytes == 4 * HeldMemory.stepBytes }
      let client = try ClientChannel(targets: [address], loops: loops)
      let raw = RequestHead(fields: [
        ":method": "POST", ":path": "/", "content-type": "text/plain",
      ])
      let refused = try await client.openExchange(raw)
      try await refused.send([UInt8](repeating: 65, count: 100_000))
      #expect(try await refused.head()[":status"] == "503")
      #expect(witness.events == ["failed"])
      try await first.close()
      try await eventually { server.heldMemory.bytes == 2 * HeldMemory.stepBytes }
      let served = try await client.openExchange(raw)
      try await served.send([UInt8](repeating: 65, count: 100_000))
      await served.finish()
      #expect(try await served.head()[":status"] == "200")
      try await second.close()
      await client.shutdown()
      try await eventually { server.heldMemory.bytes == 0 }
    }
  }

  @Test("what a handler takes of a call that has ended does not count")
  func late() async throws {
    try await withGatherer { server, address, loops, witness in
      let client = try ClientChannel(targets: [address], loops: loops)
      let call = try await client.openExchange(
        RequestHead(fields: [":method": "POST", ":path": "/", "content-type": "text/plain"]))
      try await call.send([UInt8](repeating: 65, count: 100_000))
      try await eventually { await Self.held(server) == 100_000 }
      await call.reset()
      await witness.saw("failed")
      #expect(await Self.held(server) == 0)
      #expect(server.heldMemory.bytes == 0)
      await client.shutdown()
    }
  }
}
