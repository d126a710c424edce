import Foundation
import GRPCTesting
import Logging
import RPC
import RPCInProcess
import ServiceKit
import Storage
import TestStores
import Testing

@testable import GatewayCore

@Suite("Daily quotas", .timeLimit(.minutes(5)))
struct QuotaTests {
  private static let path = "/x.Y/Z"
  private static let partner = "partners/a"
  private static let day: TimeInterval = 86_400
  /// 2026-11-21T15:59:59Z, a second before midnight in China.
  private static let eve = Date(timeIntervalSince1970: 1_795_276_799)
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private static func with(
    _ engine: Engine, _ body: (any Database) async throws -> Void
  ) async throws {
    try await engine.withStore { stores in
      try await stores.with { database in
        try await database.migrate(GatewayMigrations.all)
        try await body(database)
      }
    }
  }

  /// Runs a gateway's leases; returns them at the end, unless the gateway is killed.
  private static func gateway(
    _ database: any Database, _ now: Shared<Date>, quota: Int64, isKilled: Bool = false,
    _ body: (QuotaLeases, QuotaMeter) async throws -> Void
  ) async throws {
    let leases = QuotaLeases(database: database, zone: .china, clock: Clock { now.value })
    let meter = leases.meter(partner, path, callsPerDay: quota)
    let run = Task { await leases.run(logger: quiet) }
    do {
      try await body(leases, meter)
    } catch {
      run.cancel()
      await run.value
      throw error
    }
    // A killed gateway returns nothing.
    if isKilled { _ = meter.takeAll() }
    run.cancel()
    await run.value
  }

  @Test("a call waits for an unresponsive store until its deadline at most")
  func deadline() async throws {
    try await Self.with(.sqlite) { database in
      // Nobody serves lease requests.
      let leases = QuotaLeases(database: database, zone: .china)
      let meter = leases.meter(Self.partner, Self.path, callsPerDay: 5)
      await #expect(throws: GatewayFailure.deadlineExceeded) {
        try await leases.take(meter, by: .after(.milliseconds(10)))
      }
    }
  }

  /// Makes concurrent calls and returns how many were admitted.
  private static func admitted(
    _ count: Int, _ leases: QuotaLeases, _ meter: QuotaMeter
  ) async throws -> Int {
    let taken = Counter()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<(count / 8) {
            do {
              try await leases.take(meter)
              taken.add()
            } catch GatewayFailure.quotaExceeded {
              continue
            }
          }
        }
      }
      try await group.waitForAll()
    }
    return taken.value
  }

  @Test("a day begins at midnight of its zone")
  func zones() throws {
    let china = try #require(DayZone("+08:00"))
    #expect(china == .china)
    let eve = Self.eve.microseconds
    #expect(china.day(at: eve) + 1 == china.day(at: eve + 1_000_000))
    #expect(china.start(of: china.day(at: eve) + 1) == eve + 1_000_000)
    #expect(try #require(DayZone("+00:00")).day(at: eve) == 20_778)
    #expect(try #require(DayZone("-03:30")).start(of: 0) == 12_600_000_000)
    #expect(china.day(at: -8 * 3_600_000_000 - 1) == -1)
    for text in ["", "8", "+8:00", "+08", "+15:00", "08:00", "+08:60", "+08:00 ", "Z", "++8:00"] {
      #expect(DayZone(text) == nil, "\(text)")
    }
  }

  @Test("concurrent calls of many threads take exactly the available calls, each once")
  func concurrentTakes() async {
    let meter = QuotaMeter(partner: "p", path: "/x")
    meter.callsPerDay = 1_000
    _ = meter.add(777, day: 3)
    let taken = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<200 where meter.take(day: 3) != .empty { taken.add() }
        }
      }
    }
    #expect(taken.value == 777)
    #expect(meter.take(day: 3) == .empty)
    _ = meter.add(5, day: 4)
    #expect(meter.take(day: 3) == .empty, "another day's")
    let rest = meter.add(7, day: 3)
    #expect(meter.left(day: 3) == 7, "whatever was leased of a day to come")
    #expect(rest?.day == 4 && rest?.count == 5)
    #expect(meter.add(1, day: 4) == nil, "a day that is over is of no use")
  }

  @Test("a lease that arrives after its quota was lowered is returned")
  func loweredMeanwhile() {
    let meter = QuotaMeter(partner: "p", path: "/x")
    meter.callsPerDay = 1_000
    #expect(meter.beginAsking())
    meter.callsPerDay = 10
    meter.endAsking(.granted(20, day: 3, quota: 1_000))
    #expect(meter.take(day: 3) == .empty)
    #expect(meter.takeSurplus() == [3: 20])
    #expect(meter.takeAll() == [:])
  }

  @Test(
    "exactly the quota is admitted, and the others learn when the day ends",
    arguments: Engine.allCases)
  func exact(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(-3_600))
      try await Self.gateway(database, now, quota: 500) { (leases, meter) async throws in
        #expect(try await Self.admitted(800, leases, meter) == 500)
        let failure = await #expect(throws: GatewayFailure.self) { try await leases.take(meter) }
        #expect(failure?.reason == "QUOTA_EXCEEDED")
        #expect(failure?.retryAfter == .seconds(3_601))
        #expect(failure?.notice?.fields["ratelimit-policy"] == #""day";q=500;w=86400"#)
        #expect(failure?.notice?.fields["ratelimit"] == #""day";r=0;t=3601"#)
      }
    }
  }

  @Test("at midnight the quota is complete again", arguments: Engine.allCases)
  func midnight(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve)
      try await Self.gateway(database, now, quota: 100) { (leases, meter) async throws in
        #expect(try await Self.admitted(160, leases, meter) == 100)
        now.update { $0 += 0.999 }
        #expect(try await Self.admitted(8, leases, meter) == 0)
        now.update { $0 += 0.001 }
        #expect(try await Self.admitted(160, leases, meter) == 100)
        now.update { $0 += 10 * Self.day }
        #expect(try await Self.admitted(80, leases, meter) == 80)
      }
    }
  }

  @Test(
    "gateways that are killed repeatedly never exceed the quota, and lose one lease each",
    arguments: Engine.allCases)
  func kills(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(-Self.day / 2))
      let quota: Int64 = 2_000
      let lease = 40
      let rounds = 25
      var total = 0
      for round in 0..<rounds {
        let calls = Int.random(in: 1...8) * 8
        try await Self.gateway(database, now, quota: quota, isKilled: true) {
          (leases, meter) async throws in
          #expect(meter.lease == Int64(lease))
          let got = try await Self.admitted(calls, leases, meter)
          #expect(got == calls, "round \(round)")
          total += got
        }
      }
      try await Self.gateway(database, now, quota: quota) { (leases, meter) async throws in
        total += try await Self.admitted(4_000, leases, meter)
      }
      #expect(total <= Int(quota), "never more")
      #expect(total >= Int(quota) - rounds * lease, "a lease a kill at most")
    }
  }

  @Test("two gateways on one store share the quota", arguments: Engine.allCases)
  func shared(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(-3_600))
      let quota: Int64 = 1_000
      try await Self.gateway(database, now, quota: quota) { (first, meter) async throws in
        try await Self.gateway(database, now, quota: quota) { (second, other) async throws in
          async let here = Self.admitted(1_600, first, meter)
          async let there = Self.admitted(1_600, second, other)
          let total = try await here + there
          #expect(total <= 1_000)
          #expect(total >= 1_000 - Int(meter.lease))
        }
      }
    }
  }

  @Test("a gateway that shuts down returns its unused calls", arguments: Engine.allCases)
  func givenBack(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(-3_600))
      for _ in 0..<5 {
        try await Self.gateway(database, now, quota: 100) { (leases, meter) async throws in
          #expect(try await Self.admitted(8, leases, meter) == 8)
        }
      }
      try await Self.gateway(database, now, quota: 100) { (leases, meter) async throws in
        #expect(try await Self.admitted(160, leases, meter) == 60)
      }
    }
  }

  @Test(
    "a raised quota applies at once; a lowered one ends it",
    arguments: Engine.allCases)
  func changed(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(-3_600))
      try await Self.gateway(database, now, quota: 10) { (leases, meter) async throws in
        #expect(try await Self.admitted(16, leases, meter) == 10)
        _ = leases.meter(Self.partner, Self.path, callsPerDay: 15)
        #expect(try await Self.admitted(16, leases, meter) == 5)
        _ = leases.meter(Self.partner, Self.path, callsPerDay: 5)
        #expect(try await Self.admitted(16, leases, meter) == 0)
      }
    }
  }

  @Test(
    "of a lowered quota nothing is admitted from the lease before it, which is returned",
    arguments: Engine.allCases)
  func lowered(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(-3_600))
      try await Self.gateway(database, now, quota: 50_000) { (leases, meter) async throws in
        #expect(try await Self.admitted(8, leases, meter) == 8)
        #expect(meter.lease == 1_000)
        _ = leases.meter(Self.partner, Self.path, callsPerDay: 8)
        #expect(try await Self.admitted(800, leases, meter) == 0)
        _ = leases.meter(Self.partner, Self.path, callsPerDay: 10)
        #expect(try await Self.admitted(16, leases, meter) == 2)
      }
    }
  }

  @Test(
    "a clock that is set back over midnight takes nothing from anybody",
    arguments: Engine.allCases)
  func setBack(_ engine: Engine) async throws {
    try await Self.with(engine) { database in
      let now = Shared(Self.eve.addingTimeInterval(2))
      try await Self.gateway(database, now, quota: 500) { (leases, meter) async throws in
        #expect(try await Self.admitted(16, leases, meter) == 16)
        now.update { $0 -= 10 }
        #expect(try await Self.admitted(800, leases, meter) == 500)
        now.update { $0 += 10 }
        #expect(try await Self.admitted(800, leases, meter) == 484)
      }
    }
  }

  @Test(
    "while the store is away nothing beyond the lease is admitted",
    arguments: Engine.allCases)
  func away(_ engine: Engine) async throws {
    let now = Shared(Self.eve.addingTimeInterval(-3_600))
    try await Self.with(engine) { database in
      try await Self.gateway(database, now, quota: 50) { (leases, meter) async throws in
        try await leases.take(meter)
        await database.close()
        await #expect(throws: StorageError.self) {
          for _ in 0..<100 { try await leases.take(meter) }
        }
      }
    }
  }

  @Test(
    "a partner's calls of a day end with QUOTA_EXCEEDED, for that method only",
    arguments: Engine.allCases)
  func throughGateway(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let limits = [
        LimitSetting(methods: ["/grpc.testing.TestService"], callsPerDay: 3), LimitSetting(),
      ]
      let probe = EchoProbe()
      let echo = try InProcessChannel(services: [EchoService(probe)])
      let edge = try TestGateway(echo, store: world.store, limits: limits).edge()
      let partner = TestCaller.partner.metadata
      let path = TestGateway.echoPath
      for _ in 0..<3 { #expect(try await edge.outcome(path, partner) == nil) }
      let error = try #require(try await edge.outcome(path, partner))
      #expect(error.code == .resourceExhausted)
      #expect(error.gatewayReason == "QUOTA_EXCEEDED")
      #expect(error.facts["calls_per_day"] == "3")
      #expect(probe.calls.value == 3)
      #expect(try await edge.outcome(path, TestCaller.viewer.metadata) == nil)
    }
  }
}
