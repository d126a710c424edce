import GRPCHealthV1
import GRPCTesting
import RPC
import RPCInProcess
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("Announcement")
struct AnnouncementTests {
  /// A channel whose state is set by the test.
  private struct Way: WatchedChannel {
    let inner: InProcessChannel
    let isReady: Shared<Bool>

    var standings: [BackendStanding] {
      [BackendStanding(address: "a:1", state: isReady.value ? .ready : .failing, calls: 0)]
    }

    func connect() {}

    func openExchange<Result: Sendable>(
      _ head: RequestHead, options: ExchangeOptions,
      _ body: (ClientExchange) async throws -> Result
    ) async throws -> Result {
      try await inner.openExchange(head, options: options, body)
    }
  }

  private static func with(
    warmup seconds: Int, _ body: (LiveGateway, Shared<Bool>) async throws -> Void
  ) async throws {
    try await ReloadTests.withKey { key in
      var configuration = ReloadTests.World.configuration(key)
      configuration.warmupSeconds = seconds
      let isReady = Shared(false)
      let gateway = try LiveGateway(
        configuration, kiosks: KioskDirectory(), logger: ReloadTests.World.logger
      ) { _ in
        Way(inner: try InProcessChannel(services: [EchoService()]), isReady: isReady)
      }
      try await body(gateway, isReady)
    }
  }

  @Test("a gateway reports SERVING when it has a connection to each service, not before")
  func ways() async throws {
    try await Self.with(warmup: 600) { gateway, isReady in
      let health = HealthRegistry()
      let announcing = Task { await gateway.announce(in: health) }
      for _ in 0..<100 { await Task.yield() }
      #expect(health.status(of: "") == .notServing)
      #expect(gateway.backends.unreached == ["grpc.testing.TestService", "members", "stations"])
      isReady.update { $0 = true }
      await announcing.value
      #expect(health.status(of: "") == .serving)
    }
  }

  @Test("a dead service does not keep the gateway from serving")
  func deadService() async throws {
    try await Self.with(warmup: 0) { gateway, _ in
      let health = HealthRegistry()
      await gateway.announce(in: health)
      #expect(health.status(of: "") == .serving)
      #expect(!gateway.backends.unreached.isEmpty)
    }
  }

  @Test("a gateway that stops during its warm-up never reports SERVING")
  func stopped() async throws {
    try await Self.with(warmup: 600) { gateway, isReady in
      let health = HealthRegistry()
      let announcing = Task { await gateway.announce(in: health) }
      await gateway.renounce(in: health)
      isReady.update { $0 = true }
      await announcing.value
      #expect(health.status(of: "") == .notServing)
    }
  }

  @Test("calls go to new replicas once one is ready; until then to those before")
  func newReplicas() async throws {
    try await ReloadTests.withKey { key in
      let configuration = ReloadTests.World.configuration(key)
      let (before, after, isReady) = (EchoProbe(), EchoProbe(), Shared(false))
      let gateway = try LiveGateway(
        configuration, kiosks: KioskDirectory(), clock: TestGateway.clock,
        logger: ReloadTests.World.logger
      ) { link in
        let isNew = link.targets == ["127.0.0.1:4"]
        return Way(
          inner: try InProcessChannel(services: [EchoService(isNew ? after : before)]),
          isReady: isNew ? isReady : Shared(true))
      }
      let edge = InProcessChannel(
        try Dispatcher(
          edge: gateway, health: HealthRegistry(), logger: ReloadTests.World.logger))
      let client = TestServiceClient(edge)
      var next = configuration
      next.warmupSeconds = 600
      next.opaqueServices[0].targets = ["127.0.0.1:4"]
      let reloading = Task { [next] in
        try await gateway.reload(certificates: { _ in {} }) { next }
      }
      for _ in 0..<100 { await Task.yield() }
      _ = try await client.unaryCall(SimpleRequest(), options: TestCaller.partner.options)
      #expect(gateway.generation == 1)
      isReady.update { $0 = true }
      try await reloading.value
      _ = try await client.unaryCall(SimpleRequest(), options: TestCaller.partner.options)
      #expect(gateway.generation == 2)
      #expect((before.calls.value, after.calls.value) == (1, 1))
    }
  }

  @Test("a reload that waits for replicas does not keep a gateway from stopping")
  func stoppedReload() async throws {
    try await Self.with(warmup: 600) { gateway, isReady in
      isReady.update { $0 = true }
      var moved = gateway.configuration
      moved.services["members"]?.targets = ["127.0.0.1:5"]
      let next = moved
      let reloading = Task {
        try await gateway.reload(certificates: { _ in {} }) {
          isReady.update { $0 = false }
          return next
        }
      }
      await gateway.renounce(in: HealthRegistry())
      _ = await reloading.result
      await #expect(throws: CancellationError.self) {
        try await gateway.reload(certificates: { _ in {} }) { next }
      }
    }
  }
}
