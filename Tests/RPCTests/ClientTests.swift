import RPC
import RPCTransport
import Synchronization
import TestWaiting
import Testing

@Suite("Clients", .timeLimit(.minutes(1)))
struct ClientTests {
  @Test("a call without a backend fails at once with UNAVAILABLE")
  func noBackend() async throws {
    let loops = EventLoops(threads: 1)
    let channel = try ClientChannel(
      targets: [HostPort(host: "127.0.0.1", port: 1)], loops: loops)
    #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    await channel.shutdown()
    try await loops.shutdown()
  }

  @Test("a call that waits for readiness waits until its deadline")
  func waitForReady() async throws {
    let loops = EventLoops(threads: 1)
    let channel = try ClientChannel(
      targets: [HostPort(host: "127.0.0.1", port: 1)], loops: loops)
    var options = CallOptions()
    options.waitForReady = true
    options.timeout = .milliseconds(100)
    let error = await failure { _ = try await channel.echo("x", options: options) }
    #expect(error?.code == .deadlineExceeded)
    let task = Task { await failure { _ = try await channel.echo("x", options: options) } }
    task.cancel()
    #expect([.cancelled, .deadlineExceeded].contains(await task.value?.code))
    await channel.shutdown()
    #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    try await loops.shutdown()
  }

  @Test("a client reconnects when its server is back")
  func reconnect() async throws {
    let loops = EventLoops(threads: 1)
    func server(_ port: Int) throws -> Server {
      Server(
        configuration: ServerConfiguration(address: HostPort(host: "127.0.0.1", port: port)),
        dispatcher: try echoDispatcher(), loops: loops)
    }
    let first = try server(0)
    let address = try await first.start()
    let channel = try ClientChannel(targets: [address], loops: loops)
    _ = try await channel.echo("one")
    await first.shutdown(grace: .zero)
    // A call sent before the end was noticed would be lost, and rightly fail.
    _ = try await channel.connectivity(otherThan: .ready)
    let second = try server(address.port)
    _ = try await second.start()
    var options = CallOptions()
    options.waitForReady = true
    let echo = try await channel.echo("two", options: options)
    #expect(echo == "two")
    await channel.shutdown()
    await second.shutdown(grace: .zero)
    try await loops.shutdown()
  }

  @Test("calls are distributed over all ready backends")
  func roundRobin() async throws {
    try await withServer(Self.named("a")) { _, a, loops in
      try await withServer(Self.named("b")) { _, b, _ in
        let channel = try ClientChannel(
          targets: [a, HostPort(host: "127.0.0.1", port: 1), b], loops: loops)
        try await eventually { try await Self.names(channel, 10) == ["a", "b"] }
        var counts: [String: Int] = [:]
        for _ in 0..<100 { counts[try await channel.echo(""), default: 0] += 1 }
        #expect(counts == ["a": 50, "b": 50])
        await channel.shutdown()
      }
    }
  }

  @Test("a backend that is not serving gets no calls until it is")
  func health() async throws {
    let health = HealthStub()
    try await withServer(Self.named("a", health: health)) { _, a, loops in
      try await withServer(Self.named("b")) { _, b, _ in
        var configuration = ClientConfiguration(targets: [a, b])
        configuration.healthService = ""
        let channel = try ClientChannel(configuration: configuration, loops: loops)
        try await eventually { try await Self.names(channel, 10) == ["a", "b"] }
        health.set(serving: false)
        try await eventually { try await Self.names(channel, 10) == ["b"] }
        health.set(serving: true)
        try await eventually { try await Self.names(channel, 10) == ["a", "b"] }
        await channel.shutdown()
      }
    }
  }

  private static func names(_ channel: ClientChannel, _ count: Int) async throws -> Set<String> {
    var names: Set<String> = []
    for _ in 0..<count { names.insert(try await channel.echo("")) }
    return names
  }

  /// Returns a server whose unary echo answers its name.
  private static func named(_ name: String, health: HealthStub? = nil) throws -> Dispatcher {
    struct Named: RPCService {
      let name: String

      var methods: [MethodHandler] {
        let name = name
        return [.unary(EchoService.unary) { (_: Text, _) in Text(name) }]
      }
    }
    let services: [any RPCService] = [Named(name: name)] + (health.map { [$0] } ?? [])
    return Dispatcher(router: try Router(services: services))
  }
}

/// A `grpc.health.v1.Health/Watch` whose status a test sets.
final class HealthStub: RPCService {
  private struct State {
    var isServing = true
    var watchers: [AsyncStream<Bool>.Continuation] = []
  }

  private let state = Mutex(State())

  func set(serving: Bool) {
    let watchers = state.withLock { state in
      state.isServing = serving
      return state.watchers
    }
    for watcher in watchers { watcher.yield(serving) }
  }

  var methods: [MethodHandler] {
    let watch = MethodDescriptor(
      service: "grpc.health.v1.Health", name: "Watch", kind: .serverStreaming)
    return [
      .serverStreaming(watch) { (_: Text, responses: ResponseWriter<Text>, _) in
        let (changes, continuation) = AsyncStream<Bool>.makeStream()
        let now = self.state.withLock { state in
          state.watchers.append(continuation)
          return state.isServing
        }
        continuation.yield(now)
        for await isServing in changes {
          try await responses.send(Text(isServing ? "\u{08}\u{01}" : "\u{08}\u{02}"))
        }
      }
    ]
  }
}
