import Crypto
import GRPCTesting
import Logging
import RPC
import RPCInProcess
import ServiceKit
import StationsV1
import TestWaiting
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Kiosks", .timeLimit(.minutes(1)))
struct KioskTests {
  private static let path = "/grpc.testing.TestService/EmptyCall"
  private static let key: Metadata = ["x-api-key": .text(TestGateway.kioskKey)]

  /// Runs with a gateway that follows the feed of `stations`.
  private func with(
    _ stations: FakeStations, _ channel: any Channel,
    _ body: (InProcessChannel, KioskDirectory) async throws -> Void
  ) async throws {
    // Long enough for a machine that runs all suites at once.
    let directory = KioskDirectory(settleMax: .seconds(3))
    let edge = try TestGateway(
      try InProcessChannel(services: [EchoService()]), kiosks: directory
    ).edge()
    let feed = KioskFeed(
      channel: channel, directory: directory,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await feed.run() }
      try await body(edge, directory)
      group.cancelAll()
    }
  }

  @Test("a kiosk gets UNAVAILABLE until yijia-stations was reached; a partner does not")
  func unreachableAtStart() async throws {
    try await with(FakeStations(), DeadChannel()) { edge, _ in
      let error = try await edge.outcome(Self.path, Self.key)
      #expect(error?.code == .unavailable)
      #expect(error?.gatewayReason == "KIOSKS_UNKNOWN")
      #expect(error?.retrySeconds == 1)
      let partner = try await edge.outcome(Self.path, ["x-api-key": "yjp_wrong"])
      #expect(partner?.code == .unauthenticated)
      #expect(try await edge.outcome(Self.path, TestCaller.partner.metadata) == nil)
    }
  }

  @Test("all kiosks are known after the feed was read, and a new one at once")
  func registered() async throws {
    let stations = FakeStations()
    stations.add(TestGateway.change(key: TestGateway.kioskKey), version: 1)
    try await with(stations, try InProcessChannel(services: [stations])) { edge, _ in
      // The initial read and the stream that follows.
      await stations.streams.reaches(2)
      #expect(try await edge.outcome(Self.path, Self.key) == nil)
      var other = TestGateway.change(key: "yk_new")
      other.kiosk = "kiosks/" + String(repeating: "1", count: 32)
      stations.add(other, version: 1)
      #expect(try await edge.outcome(Self.path, ["x-api-key": "yk_new"]) == nil)
      let wrong = try await edge.outcome(Self.path, ["x-api-key": "yk_wrong"])
      #expect(wrong?.code == .unauthenticated)
    }
  }

  @Test(
    "a revoked kiosk is refused when the feed reports it, and so is its old key after a rotation")
  func revoked() async throws {
    let stations = FakeStations()
    stations.add(TestGateway.change(key: TestGateway.kioskKey), version: 1)
    try await with(stations, try InProcessChannel(services: [stations])) { edge, _ in
      await stations.streams.reaches(2)
      #expect(try await edge.outcome(Self.path, Self.key) == nil)
      stations.add(TestGateway.change(key: "yk_rotated"), version: 2)
      #expect(try await edge.outcome(Self.path, ["x-api-key": "yk_rotated"]) == nil)
      #expect(try await edge.outcome(Self.path, Self.key)?.code == .unauthenticated)
      stations.add(TestGateway.change(key: "yk_rotated", revoked: true), version: 3)
      while try await edge.outcome(Self.path, ["x-api-key": "yk_rotated"]) == nil {}
      // Delivery is at least once: a repeated old event changes nothing.
      stations.add(TestGateway.change(key: "yk_rotated"), version: 2)
      stations.add(TestGateway.change(key: "yk_last"), version: 4)
      #expect(try await edge.outcome(Self.path, ["x-api-key": "yk_last"]) == nil)
      let old = try await edge.outcome(Self.path, ["x-api-key": "yk_rotated"])
      #expect(old?.code == .unauthenticated)
    }
  }

  @Test("a running stream ends when its kiosk is revoked, at the service as well")
  func revokedMidStream() async throws {
    let probe = EchoProbe()
    let gateway = try TestGateway(try InProcessChannel(services: [EchoService(probe)]))
    let client = TestServiceClient(try gateway.edge())
    let call = try await client.fullDuplexCall(options: TestCaller.kiosk.options)
    try await call.send(StreamingOutputCallRequest())
    var responses = call.responses.makeAsyncIterator()
    _ = try await responses.next()
    let change = TestGateway.change(key: TestGateway.kioskKey, revoked: true)
    gateway.kiosks.apply(change, version: 2)
    let error = await #expect(throws: RPCError.self) { _ = try await responses.next() }
    #expect(error?.code == .unauthenticated)
    #expect(error?.gatewayReason == "CALLER_UNPROVEN")
    await probe.cancelled.reaches(1)
  }

  @Test("known kiosks are served while the feed is interrupted; an unknown key gets UNAVAILABLE")
  func interrupted() async throws {
    let stations = FakeStations()
    stations.add(TestGateway.change(key: TestGateway.kioskKey), version: 1)
    let channel = try InProcessChannel(services: [stations])
    try await with(stations, channel) { edge, directory in
      await stations.streams.reaches(2)
      stations.refuse(true)
      await channel.disconnect()
      try await eventually { directory.standing == .stale }
      #expect(try await edge.outcome(Self.path, Self.key) == nil)
      let unknown = try await edge.outcome(Self.path, ["x-api-key": "yk_unknown"])
      #expect(unknown?.gatewayReason == "KIOSKS_UNKNOWN")
      stations.add(TestGateway.change(key: TestGateway.kioskKey, revoked: true), version: 2)
      stations.refuse(false)
      try await eventually { try await edge.outcome(Self.path, Self.key) != nil }
      let cursors = stations.cursors.value
      #expect(cursors.filter { $0.isEmpty }.count == 1, "it goes on where it was")
    }
  }

  @Test("a feed whose cursor is foreign is read again from the beginning")
  func restored() async throws {
    let stations = FakeStations()
    stations.add(TestGateway.change(key: TestGateway.kioskKey), version: 5)
    let channel = try InProcessChannel(services: [stations])
    try await with(stations, channel) { edge, _ in
      await stations.streams.reaches(2)
      stations.restore()
      stations.add(TestGateway.change(key: "yk_restored"), version: 1)
      await channel.disconnect()
      await stations.streams.reaches(5)
      let restored = try await edge.outcome(Self.path, ["x-api-key": "yk_restored"])
      #expect(restored == nil)
      let forgotten = try await edge.outcome(Self.path, Self.key)
      #expect(forgotten?.code == .unauthenticated)
    }
  }
}
