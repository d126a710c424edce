import RPC
import TestWaiting
import Testing

@testable import RPCTransport

/// A client whose event loops have their own connections.
@Suite("Connections of loops", .timeLimit(.minutes(1)))
struct LoopConnectionTests {
  @Test("each calling loop gets a connection of its own, and uses another's until then")
  func own() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.connectsPerLoop = true
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      for loop in loops.all {
        try await eventually { try await hasOwn(channel, loop) }
      }
      // The server's side of the last one may still be starting.
      try await eventually { server.connectionCount >= loops.all.count }
      #expect(server.connectionCount == loops.all.count)
      #expect(channel.standings.count == 1, "it is one backend")
      for loop in loops.all { #expect(try await hasOwn(channel, loop)) }
      await channel.shutdown()
    }
  }

  /// Makes a call on a loop; returns whether the loop has a connection of its own.
  private func hasOwn(_ channel: ClientChannel, _ loop: LoopExecutor) async throws -> Bool {
    try await withTaskExecutorPreference(loop) {
      let answer = try await channel.echo("x")
      #expect(answer == "x")
      let exchange = try channel.openExchange(
        RequestHead(path: EchoService.unary.path), options: ExchangeOptions(), on: loop)
      guard let exchange else { return false }
      #expect(exchange.exchange.loop === loop)
      exchange.exchange.reset(.cancel)
      return true
    }
  }

  @Test("without a connection on the loop nothing is opened there")
  func none() async throws {
    try await withServer(try echoDispatcher()) { _, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      for loop in loops.all { #expect(try await !hasOwn(channel, loop)) }
      await channel.shutdown()
    }
  }

  @Test("bulk calls get a connection of their own, and use the other until then")
  func bulk() async throws {
    try await withServer(try echoDispatcher()) { server, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.connectsPerLoop = true
      configuration.balancing.separatesBulk = true
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      let loop = loops.all[0]
      try await eventually { try await hasOwn(channel, loop) }
      let interactive = try await transport(channel, .interactive, loop)
      try await eventually { try await transport(channel, .bulk, loop) != interactive }
      #expect(try await transport(channel, .interactive, loop) == interactive)
      #expect(server.connectionCount <= 3, "one of the first loop, two of this one")
      #expect(channel.standings.count == 1, "it is one backend")
      await channel.shutdown()
    }
  }

  /// Opens a call of that class on a loop; returns which connection it has.
  private func transport(
    _ channel: ClientChannel, _ trafficClass: TrafficClass, _ loop: LoopExecutor
  ) async throws -> ObjectIdentifier {
    var options = ExchangeOptions()
    options.trafficClass = trafficClass
    return try await withTaskExecutorPreference(loop) { [options] in
      let exchange = try #require(
        try channel.openExchange(
          RequestHead(path: EchoService.unary.path), options: options, on: loop))
      exchange.exchange.reset(.cancel)
      return ObjectIdentifier(exchange.exchange.transport)
    }
  }

  @Test("a call cancelled before its head was sent does not count any more")
  func givenUp() async throws {
    try await withServer(try echoDispatcher()) { _, address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.connectsPerLoop = true
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      let loop = loops.all[0]
      try await eventually { try await hasOwn(channel, loop) }
      try await withTaskExecutorPreference(loop) {
        // Nothing is sent within one turn of the loop: the second call takes the place of the
        // first.
        for _ in 0..<2 {
          let exchange = try channel.openExchange(
            RequestHead(path: EchoService.unary.path), options: ExchangeOptions(), on: loop)
          try #require(exchange).exchange.reset(.cancel)
        }
      }
      try await eventually { channel.standings.allSatisfy { $0.calls == 0 } }
      await channel.shutdown()
    }
  }
}
