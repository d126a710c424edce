import GRPCHealthV1
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
      #expect(gateway.unreached == ["grpc.testing.TestService", "members", "stations"])
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
      #expect(!gateway.unreached.isEmpty)
    }
  }

  @Test("a gateway that stops during its warm-up never reports SERVING")
  func stopped() async throws {
    try await Self.with(warmup: 600) { gateway, isReady in
      let health = HealthRegistry()
      let announcing = Task { await gateway.announce(in: health) }
      gateway.renounce(in: health)
      isReady.update { $0 = true }
      await announcing.value
      #expect(health.status(of: "") == .notServing)
    }
  }
}
