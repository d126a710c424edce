import RPCTransport
import Synchronization
import Testing

@testable import HTTP2
@testable import RPC
@testable import RPCInProcess

/// Bounds, in bytes, on what a slow reader makes a fast writer buffer on each side: the reader its
/// window, the writer its queue up to the mark, and each one message more.
@Suite("Backpressure", .timeLimit(.minutes(1)))
struct BackpressureTests {
  private static let messages = 1000
  private static let text = String(repeating: "x", count: 9_995)
  /// Size of a message with its prefix.
  private static let messageBytes = 10_000

  /// The bounds of a transport, given its windows.
  private struct Bounds {
    let windowBytes: Int
    let markBytes: Int

    /// Sends that are certain to return: they fill window and queue, except for the waiting
    /// message.
    var sendsMin: Int { (windowBytes + markBytes) / messageBytes - 1 }
    /// Each side may hold one message more: one that is incomplete, and one that did not fit.
    var sentBytesMax: Int { windowBytes + markBytes + 2 * messageBytes }
    var readerBytesMax: Int { windowBytes + messageBytes }
    var writerBytesMax: Int { markBytes + messageBytes }
  }

  /// Runs a test over a channel whose streams have those windows.
  private static func with(
    _ carrier: Carrier, _ service: HoldingService,
    _ body: (any RPC.Channel, _ toClient: Bounds, _ toServer: Bounds) async throws -> Void
  ) async throws {
    let dispatcher = Dispatcher(router: try Router(services: [service]))
    if carrier == .inProcess {
      let bounds = Bounds(windowBytes: Flow.windowBytes, markBytes: Flow.markBytes)
      return try await body(InProcessChannel(dispatcher), bounds, bounds)
    }
    let certificates = carrier == .tls ? try TestCertificates() : nil
    defer { withExtendedLifetime(certificates) {} }
    var limits = ConnectionLimits()
    limits.streamWindowBytes = 200_000
    try await withServer(
      dispatcher, tls: certificates?.server, limits: limits
    ) { _, address, loops in
      var configuration = ClientConfiguration(targets: [address], tls: certificates?.client)
      configuration.limits.streamWindowBytes = 300_000
      let client = try ClientChannel(configuration: configuration, loops: loops)
      let mark = Session.outboundMarkBytes
      do {
        try await body(
          client, Bounds(windowBytes: 300_000, markBytes: mark),
          Bounds(windowBytes: 200_000, markBytes: mark))
      } catch {
        await client.shutdown()
        throw error
      }
      await client.shutdown()
    }
  }

  /// Gives everything that could still move the opportunity: calls run on the same loops meanwhile.
  private static func settle(_ channel: any RPC.Channel) async throws {
    for _ in 0..<200 { _ = try await channel.call(HoldingService.echo, "x") }
  }

  @Test("a client that does not read stops the handler's stream", arguments: Carrier.allCases)
  func slowClient(_ carrier: Carrier) async throws {
    let service = HoldingService()
    try await Self.with(carrier, service) { channel, bounds, _ in
      let responses: ResponseStream<Text> = try await channel.serverStreaming(
        HoldingService.pour, Text("\(Self.messages) \(Self.text)"))
      await service.witness.saw("sent \(bounds.sendsMin)")
      try await Self.settle(channel)

      let attempt = responses.call.state.withLock { $0.settled ?? $0.live.first?.exchange }
      let inbox = try #require(attempt).inbox
      let held = await inbox.exchange.onLoop { inbox.unreadBytes }
      let sent = service.witness.events.count * Self.messageBytes
      #expect(held <= bounds.readerBytesMax)
      #expect(sent <= bounds.sentBytesMax)
      // Everything that was sent and is not buffered here is in the server's queue.
      #expect(sent - held <= bounds.writerBytesMax)

      var received = 0
      for try await response in responses where response.text == Self.text { received += 1 }
      #expect(received == Self.messages)
    }
  }

  @Test("a handler that does not read stops the client's stream", arguments: Carrier.allCases)
  func slowHandler(_ carrier: Carrier) async throws {
    let service = HoldingService()
    try await Self.with(carrier, service) { channel, _, bounds in
      let call: ClientStreamingCall<Text, Text> = try await channel.clientStreaming(
        HoldingService.hold)
      let sent = Witness()
      let sender = Task {
        for index in 1...Self.messages {
          try await call.send(Text(Self.text))
          sent.note("sent \(index)")
        }
      }
      await sent.saw("sent \(bounds.sendsMin)")
      try await Self.settle(channel)

      let held = await service.heldBytes
      let bytes = sent.events.count * Self.messageBytes
      #expect(held <= bounds.readerBytesMax)
      #expect(bytes <= bounds.sentBytesMax)
      #expect(bytes - held <= bounds.writerBytesMax)

      service.witness.note("read")
      try await sender.value
      #expect(try await call.finish().message.text == "\(Self.messages)")
    }
  }
}
