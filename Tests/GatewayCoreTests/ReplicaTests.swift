import GRPCHealthV1
import RPC
import RPCTransport
import ServiceKit
import TestWaiting
import Testing

@testable import GatewayCore

/// Load balancing of a channel, over real sockets.
@Suite("Replicas")
struct ReplicaTests {
  private let loopback = Loopback()

  /// A channel that is connected to backends with the same behavior.
  private func channel(
    to backends: [any ExchangeHandler], _ change: (inout Balancing) -> Void
  ) async throws -> ClientChannel {
    var targets: [HostPort] = []
    for backend in backends {
      targets.append(try await loopback.serve(handlers: [backend]).address)
    }
    var configuration = ClientConfiguration(targets: targets)
    change(&configuration.balancing)
    let channel = try ClientChannel(configuration: configuration, loops: loopback.loops)
    channel.connect()
    try await eventually { channel.standings.allSatisfy(\.isReady) }
    return channel
  }

  private func call(_ channel: ClientChannel, timeout: Duration? = nil) async throws -> RPCError? {
    let deadline = timeout.map { Deadline.after($0) }
    let exchange = try await channel.openExchange(
      RequestHead(path: "/a.B/C", metadata: [:], timeout: timeout),
      options: ExchangeOptions(deadline: deadline)
    ) { $0 }
    try? await exchange.send([0, 0, 0, 0, 0])
    await exchange.finish()
    do {
      return try await exchange.outcome()
    } catch let error as RPCError {
      return error
    }
  }

  private static let unavailable: HeaderList = [
    ":status": "200", "content-type": "application/grpc", "grpc-status": "14",
  ]

  @Test("a replica with that many consecutive failures is ejected, whatever else it answers")
  func ejection() async throws {
    var bad = AnyBackend()
    bad.answer = Self.unavailable
    let good = AnyBackend()
    let channel = try await channel(to: [bad, good]) {
      $0.outlierDetection = OutlierDetection()
      $0.outlierDetection?.consecutiveGatewayFailure = 3
    }
    var failures = 0
    for _ in 0..<40 {
      if try await call(channel) != nil { failures += 1 }
    }
    #expect(failures == 3)
    #expect(bad.opened.value == 3)
    #expect(good.opened.value == 37)
    #expect(channel.standings.map(\.state) == [.ejected, .ready])
    await channel.shutdown()
  }

  @Test("other errors eject no replica")
  func ownErrors() async throws {
    var refusing = AnyBackend()
    refusing.answer.set("grpc-status", "7")
    let channel = try await channel(to: [refusing]) {
      $0.outlierDetection = OutlierDetection()
      $0.outlierDetection?.consecutiveGatewayFailure = 1
    }
    for _ in 0..<5 { #expect(try await call(channel)?.code == .permissionDenied) }
    #expect(channel.standings.map(\.state) == [.ready])
    await channel.shutdown()
  }

  @Test("a replica that stops is not ejected because its health check ends")
  func restart() async throws {
    let registry = HealthRegistry()
    registry.set("", .serving)
    let services = [HealthService(registry: registry)]
    let (server, address) = try await loopback.serve(services: services)
    var configuration = ClientConfiguration(targets: [address])
    configuration.healthService = ""
    var outliers = OutlierDetection()
    outliers.consecutiveGatewayFailure = 1
    outliers.baseEjectionTime = .seconds(600)
    outliers.maxEjectionTime = .seconds(600)
    configuration.balancing.outlierDetection = outliers
    let channel = try ClientChannel(configuration: configuration, loops: loopback.loops)
    channel.connect()
    try await eventually { channel.standings[0].isReady }
    await server.shutdown(grace: .seconds(30))
    try await eventually { !channel.standings[0].isReady }
    _ = try await loopback.serve(services: services, at: address)
    try await eventually { channel.standings[0].isReady }
    await channel.shutdown()
  }

  @Test("if all replicas would be ejected, all are used: some failures are better than no service")
  func panic() async throws {
    var bad = AnyBackend()
    bad.answer = Self.unavailable
    let channel = try await channel(to: [bad]) {
      $0.outlierDetection = OutlierDetection()
      $0.outlierDetection?.consecutiveGatewayFailure = 1
    }
    for _ in 0..<5 { #expect(try await call(channel)?.code == .unavailable) }
    #expect(bad.opened.value == 5)
    await channel.shutdown()
  }

  /// Opens a call after attempts at those replicas, and returns the replica that it was sent to.
  private func backend(
    _ channel: ClientChannel, after previous: [BackendID?] = []
  ) async throws -> BackendID? {
    var options = ExchangeOptions()
    options.previousBackends = previous.compactMap(\.self)
    let exchange = try await channel.openExchange(
      RequestHead(path: "/a.B/C", metadata: [:]), options: options
    ) { $0 }
    await exchange.finish()
    _ = try? await exchange.outcome()
    return exchange.backend
  }

  @Test("the next attempt of a call goes to another replica, if there is one")
  func anotherAttempt() async throws {
    let channel = try await channel(to: [AnyBackend(), AnyBackend(), AnyBackend()]) { _ in }
    for _ in 0..<20 {
      var tried: [BackendID?] = []
      for _ in 0..<3 {
        tried.append(try await backend(channel, after: tried))
        // The turns of other calls.
        _ = try await backend(channel)
      }
      #expect(Set(tried).count == 3)
      #expect(tried.contains(try await backend(channel, after: tried)))
    }
    await channel.shutdown()
  }

  @Test("the next attempt of a call goes to an ejected replica rather than to the same one")
  func attemptInNeed() async throws {
    var bad = AnyBackend()
    bad.answer = Self.unavailable
    let channel = try await channel(to: [bad, AnyBackend()]) {
      $0.outlierDetection = OutlierDetection()
      $0.outlierDetection?.consecutiveGatewayFailure = 1
    }
    for _ in 0..<2 { _ = try await call(channel) }
    #expect(channel.standings.map(\.state) == [.ejected, .ready])
    let good = try await backend(channel)
    for _ in 0..<5 { #expect(try await backend(channel) == good) }
    #expect(bad.opened.value == 1)
    let other = try await backend(channel, after: [good])
    #expect(other != nil && other != good)
    #expect(bad.opened.value == 2)
    await channel.shutdown()
  }

  @Test("calls at once are retried elsewhere, however their turns come", .timeLimit(.minutes(1)))
  func retriesElsewhere() async throws {
    var bad = AnyBackend()
    bad.answer = Self.unavailable
    let registry = HealthRegistry()
    registry.set("", .serving)
    let good = try await loopback.serve(services: [HealthService(registry: registry)])
    let targets = [try await loopback.serve(handlers: [bad]).address, good.address]
    var configuration = ClientConfiguration(targets: targets)
    let retry = RetryPolicy(attemptsMax: 2, initialBackoff: .milliseconds(1))
    configuration.serviceConfig = ServiceConfig(
      methods: [MethodConfig(names: [.init()], execution: .retry(retry))])
    let channel = try ClientChannel(configuration: configuration, loops: loopback.loops)
    channel.connect()
    try await eventually { channel.standings.allSatisfy(\.isReady) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let client = HealthClient(channel)
          for _ in 0..<25 { _ = try await client.check(HealthCheckRequest()) }
        }
      }
      try await group.waitForAll()
    }
    #expect(bad.opened.value > 0)
    await channel.shutdown()
  }

  @Test("a replica without any response until the deadline is ejected")
  func silence() async throws {
    var frozen = AnyBackend()
    frozen.hangs = true
    let channel = try await channel(to: [frozen, AnyBackend()]) {
      $0.outlierDetection = OutlierDetection()
      $0.outlierDetection?.consecutiveGatewayFailure = 2
    }
    // The connection's initial frames may arrive during the first calls.
    for _ in 0..<20 where channel.standings[0].state == .ready {
      _ = try await call(channel, timeout: .milliseconds(100))
    }
    #expect(channel.standings.map(\.state) == [.ejected, .ready])
    #expect(frozen.opened.value < 10)
    await channel.shutdown()
  }

  @Test("concurrent calls per replica are limited; more are refused at once")
  func callsMax() async throws {
    var hanging = AnyBackend()
    hanging.hangs = true
    let channel = try await channel(to: [hanging]) { $0.callsMax = 2 }
    var calls: [ClientExchange] = []
    for _ in 0..<2 {
      calls.append(
        try await channel.openExchange(
          RequestHead(path: "/a.B/C", metadata: [:]), options: ExchangeOptions()
        ) { $0 })
    }
    let error = await #expect(throws: RPCError.self) { _ = try await call(channel) }
    #expect(error?.code == .resourceExhausted)
    await calls[0].reset()
    try await eventually { channel.standings[0].calls <= 1 }
    calls.append(
      try await channel.openExchange(
        RequestHead(path: "/a.B/C", metadata: [:]), options: ExchangeOptions()
      ) { $0 })
    await hanging.opened.reaches(3)
    await channel.shutdown()
  }

  @Test("least request avoids the busy replica")
  func leastRequest() async throws {
    let busy = OnceHanging()
    let idle = AnyBackend()
    let channel = try await channel(to: [busy, idle]) { $0.policy = .leastRequest(choices: 2) }
    var held: [ClientExchange] = []
    while busy.opened.value == 0 {
      held.append(
        try await channel.openExchange(
          RequestHead(path: "/a.B/C", metadata: [:]), options: ExchangeOptions()
        ) { $0 })
      try await eventually { idle.opened.value + busy.opened.value >= held.count }
      // An answered call does not count any more.
      try await eventually {
        channel.standings.map(\.calls).reduce(0, +) <= busy.opened.value
      }
    }
    let before = idle.opened.value
    for _ in 0..<10 { #expect(try await call(channel) == nil) }
    #expect(idle.opened.value == before + 10)
    #expect(busy.opened.value == 1)
    await channel.shutdown()
  }
}

/// A backend that never answers.
private struct OnceHanging: ExchangeHandler {
  let opened = Counter()

  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    opened.add()
    await untilCancelled()
  }
}
