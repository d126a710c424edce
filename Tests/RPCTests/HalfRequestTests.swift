import RPC
import TestWaiting
import Testing

@testable import RPCTransport

/// Clients that start requests and do not complete them.
@Suite("Requests that do not become whole", .timeLimit(.minutes(1)))
struct HalfRequestTests {
  private struct Collector: ExchangeHandler {
    func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

    func serve(_ exchange: ServerExchange) async {
      do {
        while try await exchange.nextChunk() != nil {}
      } catch {
        await exchange.sendHead([":status": "408"], endsStream: true)
      }
    }
  }

  /// Refuses every request, whatever is still to come of it.
  private struct Refuser: ExchangeHandler {
    /// Bytes that it reports as buffered before.
    var heldBytes = 0

    func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

    func serve(_ exchange: ServerExchange) async {
      _ = await exchange.exchange.onLoop { exchange.exchange.hold(heldBytes) }
      await exchange.sendHead([":status": "413"])
      try? await exchange.send(Array("too large".utf8))
      await exchange.finish()
    }
  }

  private static func prefix(_ length: UInt8, _ bytes: Int) -> [UInt8] {
    [0, 0, 0, length, 0] + [UInt8](repeating: 65, count: bytes)
  }

  /// Waits until the server's only connection gives that answer.
  private func until<Answer: Equatable & Sendable>(
    _ server: Server, _ expected: Answer,
    _ question: @escaping @Sendable (Connection) -> Answer
  ) async throws {
    try await eventually {
      await server.ask(Connection.self, question: question) == [expected]
    }
  }

  @Test("a call without further input ends; a request stream may pause")
  func stalled() async throws {
    var lifetime = ConnectionLifetime()
    lifetime.requestStallMax = .seconds(600)
    lifetime.keepaliveInterval = nil
    let witness = Witness()
    let dispatcher = Dispatcher(
      router: try Router(services: [EchoService(witness: witness)]), handlers: [Collector()])
    try await withServer(dispatcher, lifetime: lifetime) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let chat: BidirectionalCall<Text, Text> = try await client.bidirectionalStreaming(
        EchoService.chat)
      await witness.saw("chatting")
      let silent = try await client.openExchange(RequestHead(path: EchoService.unary.path))
      let half = try await client.openExchange(RequestHead(path: EchoService.repeat.path))
      try await half.send([0, 0, 0])
      let raw = try await client.openExchange(
        RequestHead(fields: [":method": "POST", ":path": "/x", "content-type": "text/plain"]))
      let heads = Task {
        defer { witness.note("over") }
        return try await [silent, half, raw].asyncMap { try await $0.head() }
      }
      var steps = 0
      while !witness.events.contains("over"), !Task.isCancelled {
        steps += 1
        await server.timePasses(.seconds(301 * steps))
      }
      let found = try await heads.value
      #expect(found.map { $0["grpc-status"] } == ["4", "4", nil])
      #expect(found[2][":status"] == "408")
      try await until(server, 1) { $0.runningHandlers }
      try await chat.send("still here")
      var responses = chat.responses.makeAsyncIterator()
      #expect(try await responses.next()?.text == "re: still here")
      try await chat.finishSending()
      #expect(try await responses.next() == nil)
      await client.shutdown()
    }
  }

  @Test("a request refused early may be sent to its end: no reset hides the response")
  func refused() async throws {
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [Refuser()])
    // Small windows, so that all of it arrives within the two seconds that the rest may take.
    var limits = ConnectionLimits()
    (limits.streamWindowBytes, limits.connectionWindowBytes) = (64 << 10, 128 << 10)
    try await withServer(dispatcher, limits: limits) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let raw = try await client.openExchange(
        RequestHead(fields: [":method": "POST", ":path": "/x", "content-type": "text/plain"]))
      #expect(try await raw.head()[":status"] == "413")
      #expect(try await raw.nextChunk() == Array("too large".utf8))
      #expect(try await raw.nextChunk() == nil)
      // More than the windows of stream and connection: it is accepted all the same.
      for _ in 0..<4 { try await raw.send([UInt8](repeating: 65, count: 64 << 10)) }
      await raw.finish()
      try await until(server, true) { $0.exchanges.allSatisfy { $0 == nil } }
      #expect(await raw.exchange.onLoop { raw.inbox.closeReason } == .completed)
      await client.shutdown()
    }
  }

  @Test("what a refused request buffered does not count while its rest is dropped")
  func refusedBytes() async throws {
    let dispatcher = Dispatcher(
      router: try Router(services: []), handlers: [Refuser(heldBytes: 600)])
    try await withServer(dispatcher) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let raw = try await client.openExchange(
        RequestHead(fields: [":method": "POST", ":path": "/x", "content-type": "text/plain"]))
      while try await raw.nextChunk() != nil {}
      // Not awaited: it counts for nothing when the exchange is closed, two seconds later.
      #expect(await server.ask(Connection.self) { $0.held.bytes } == [0])
      await raw.finish()
      await client.shutdown()
    }
  }

  @Test("a call is not ended while input arrives")
  func moving() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let call = try await client.openExchange(RequestHead(path: EchoService.unary.path))
      let message: [UInt8] = [0, 0, 0, 0, 2, 65, 66]
      for count in 1..<message.count {
        try await call.send([message[count - 1]])
        try await until(server, count) { $0.held.bytes }
        _ = await server.ask(Connection.self) { connection in
          for exchange in connection.exchanges { exchange?.sweep() }
        }
      }
      try await call.send([66])
      await call.finish()
      #expect(try await call.head()["grpc-status"] == nil)
      #expect(try await call.nextChunk() == message)
      try await until(server, 0) { $0.held.bytes }
      await client.shutdown()
    }
  }

  @Test(
    "incomplete messages are buffered up to a limit",
    arguments: [EchoService.unary, EchoService.collect])
  func held(_ method: MethodDescriptor) async throws {
    var limits = ConnectionLimits()
    limits.heldBytesMax = 1000
    try await withServer(try echoDispatcher(), limits: limits) { server, address, loops in
      let client = try ClientChannel(targets: [address], loops: loops)
      let first = try await client.openExchange(RequestHead(path: method.path))
      try await first.send(Self.prefix(4, 595))
      try await until(server, 600) { $0.held.bytes }
      let second = try await client.openExchange(RequestHead(path: method.path))
      try await second.send(Self.prefix(4, 595))
      #expect(try await second.head()["grpc-status"] == "8")
      try await until(server, 600) { $0.held.bytes }
      // The earlier one continues, and frees its buffer.
      try await first.send([UInt8](repeating: 65, count: 400))
      try await until(server, 1000) { $0.held.bytes }
      try await first.send([UInt8](repeating: 65, count: 1024 - 995))
      await first.finish()
      if method == EchoService.collect {
        #expect(try await first.nextChunk() == Self.prefix(4, 1024))
      } else {
        _ = try await first.head()
      }
      try await until(server, 0) { $0.held.bytes }
      // So does one that is cancelled.
      let third = try await client.openExchange(RequestHead(path: method.path))
      try await third.send(Self.prefix(4, 300))
      try await until(server, 305) { $0.held.bytes }
      await third.reset()
      try await until(server, 0) { $0.held.bytes }
      await client.shutdown()
    }
  }

  @Test("incomplete messages of all connections together are buffered up to a limit")
  func heldByAll() async throws {
    try await withServer(try echoDispatcher(), heldBytesMax: 512 << 10) { server, address, loops in
      func held() async -> [Int] {
        await server.ask(Connection.self) { $0.held.bytes }.filter { $0 > 0 }.sorted()
      }
      /// A call that owes the rest of a message of 1 MiB, on a connection of its own.
      func begin(_ bytes: Int) async throws -> (ClientChannel, ClientExchange) {
        let client = try ClientChannel(targets: [address], loops: loops)
        let exchange = try await client.openExchange(RequestHead(path: EchoService.unary.path))
        try await exchange.send([0, 0, 0x10, 0, 0] + [UInt8](repeating: 65, count: bytes - 5))
        return (client, exchange)
      }
      let (first, half) = try await begin(560 << 10)
      try await eventually { await held() == [560 << 10] }
      let (second, refused) = try await begin(100 << 10)
      #expect(try await refused.head()["grpc-status"] == "8")
      // Who holds little is served.
      let (third, small) = try await begin(20 << 10)
      try await eventually { await held() == [20 << 10, 560 << 10] }
      await half.reset()
      try await eventually { await held() == [20 << 10] }
      let again = try await second.openExchange(RequestHead(path: EchoService.unary.path))
      try await again.send([0, 0, 0x10, 0, 0] + [UInt8](repeating: 65, count: (100 << 10) - 5))
      try await eventually { await held() == [20 << 10, 100 << 10] }
      await small.reset()
      for client in [first, second, third] { await client.shutdown() }
      try await eventually { await held() == [] }
    }
  }

  @Test("a client whose calls all wait for requests is closed at the connection limit")
  func giveWay() async throws {
    try await withServer(try echoDispatcher(), connectionsMax: 1) { server, address, loops in
      // By round robin it would connect again at once, and could take the only place back.
      var first = ClientConfiguration(targets: [address])
      first.balancing.policy = .pickFirst(shuffled: false)
      let client = try ClientChannel(configuration: first, loops: loops)
      let silent = try await client.openExchange(RequestHead(path: EchoService.unary.path))
      try await until(server, 1) { $0.runningHandlers }
      var configuration = ClientConfiguration(targets: [address])
      configuration.backoff = ConnectBackoff(initial: .milliseconds(10), max: .milliseconds(50))
      let other = try ClientChannel(configuration: configuration, loops: loops)
      // The server gives the silent client a second.
      var options = CallOptions()
      options.waitForReady = true
      options.timeout = .seconds(30)
      #expect(try await other.echo("x", options: options) == "x")
      #expect(await failure { _ = try await silent.head() }?.code == .unavailable)
      await other.shutdown()
      await client.shutdown()
    }
  }
}

extension Array {
  fileprivate func asyncMap<Result>(
    _ body: (Element) async throws -> Result
  ) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}
