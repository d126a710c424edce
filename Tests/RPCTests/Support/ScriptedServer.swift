import HTTP2
import NIOCore
import NIOPosix
import RPCTransport
import Synchronization

/// An HTTP/2 server that behaves as scripted by a test, well or badly.
enum ScriptedServer {
  /// The context of a script's step, on the connection's event loop.
  struct Turn {
    let session: Session
    let event: SessionEvent
    /// Number of the connection, and of the request among all connections, from 1.
    let connection: Int
    let request: Int
    let close: () -> Void

    /// The stream of a request that has ended.
    var endedRequest: StreamKey? {
      if case .ended(let stream) = event { return stream }
      return nil
    }

    /// Answers with these header lists; the last one ends the stream if there is more than one, or
    /// if `endsStream`.
    func answer(
      _ stream: StreamKey, _ head: [(String, String)], body: [UInt8]? = nil,
      trailers: [(String, String)]? = nil, endsStream: Bool = false
    ) {
      session.submitResponse(stream, Self.fields(head), endsStream: endsStream)
      if let body { _ = session.submitData(stream, body) }
      if let trailers { session.submitEnd(stream, trailers: Self.fields(trailers)) }
    }

    /// Answers a unary call successfully.
    func answerWell(_ stream: StreamKey) {
      answer(
        stream, [(":status", "200"), ("content-type", "application/grpc")],
        body: [0, 0, 0, 0, 1, UInt8(ascii: "x")], trailers: [("grpc-status", "0")])
    }

    private static func fields(_ list: [(String, String)]) -> HeaderSource {
      var fields = OutboundFields()
      for (name, value) in list { fields.add(name, value) }
      return .list(fields)
    }
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let session: Session
    private let connection: Int
    private let requests: Counter
    private let script: @Sendable (Turn) -> Void
    private var request = 0

    init(
      limits: SessionLimits, connection: Int, requests: Counter,
      _ script: @escaping @Sendable (Turn) -> Void
    ) throws {
      session = try Session(.server, limits: limits)
      self.connection = connection
      self.requests = requests
      self.script = script
    }

    func channelActive(context: ChannelHandlerContext) { flush(context) }

    func channelInactive(context: ChannelHandlerContext) { session.close() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let buffer = unwrapInboundIn(data)
      do {
        try session.receive(buffer.readableBytesSpan, nowNanoseconds: 0)
      } catch {
        return context.close(promise: nil)
      }
      let events = session.events
      session.removeEvents()
      for event in events {
        if case .data(let stream, _, let count) = event { session.consume(stream, count) }
        if case .head = event { request = requests.next() }
        script(
          Turn(
            session: session, event: event, connection: connection, request: request,
            close: { context.close(promise: nil) }))
      }
      flush(context)
    }

    private func flush(_ context: ChannelHandlerContext) {
      var output = context.channel.allocator.buffer(capacity: 1024)
      _ = try? session.drain(limit: .max) { span in
        span.withUnsafeBytes { _ = output.writeBytes($0) }
      }
      if output.readableBytes > 0 {
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
      }
    }
  }

  final class Counter: Sendable {
    private let value = Mutex(0)

    func next() -> Int {
      value.withLock { value in
        value += 1
        return value
      }
    }
  }

  /// Runs a test against a server whose connections follow the script.
  static func with(
    limits: SessionLimits = SessionLimits(), _ script: @escaping @Sendable (Turn) -> Void,
    _ body: (HostPort, EventLoops) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let (connections, requests) = (Counter(), Counter())
    let server = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            Handler(limits: limits, connection: connections.next(), requests: requests, script))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let loops = EventLoops(threads: 1)
    let address = HostPort(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
    do {
      try await body(address, loops)
    } catch {
      try? await server.close()
      try await loops.shutdown()
      try await group.shutdownGracefully()
      throw error
    }
    try? await server.close()
    try await loops.shutdown()
    try await group.shutdownGracefully()
  }

  /// Runs a test against such a server with a client.
  static func withClient(
    limits: SessionLimits = SessionLimits(), _ script: @escaping @Sendable (Turn) -> Void,
    _ body: (ClientChannel) async throws -> Void
  ) async throws {
    try await withClient(limits: limits, configure: { _ in }, script, body)
  }

  /// Runs a test against such a server with a client of that configuration.
  static func withClient(
    limits: SessionLimits = SessionLimits(), configure: (inout ClientConfiguration) -> Void,
    _ script: @escaping @Sendable (Turn) -> Void,
    _ body: (ClientChannel) async throws -> Void
  ) async throws {
    try await with(limits: limits, script) { address, loops in
      var configuration = ClientConfiguration(targets: [address])
      configuration.backoff = ConnectBackoff(initial: .milliseconds(1), max: .milliseconds(5))
      configure(&configuration)
      let channel = try ClientChannel(configuration: configuration, loops: loops)
      do {
        try await body(channel)
      } catch {
        await channel.shutdown()
        throw error
      }
      await channel.shutdown()
    }
  }
}

/// Returns true once.
final class Once: Sendable {
  private let isDone = Mutex(false)

  func isFirst() -> Bool {
    isDone.withLock { isDone in
      defer { isDone = true }
      return !isDone
    }
  }
}
