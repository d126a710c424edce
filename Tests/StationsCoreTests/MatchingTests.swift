import Logging
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import StationsV1
import Storage
import TestWaiting
import Testing

@testable import StationsCore

@Suite struct MatchingTests {
  @Test("codes that only yijia-members knows are resolved by one call per batch")
  func resolvedByCall() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.enroll("YJM-A", member: 1)
      world.members.enroll("YJM-B", member: 2)
      try await station.report(
        uuid(), [station.visit(1, code: "YJM-A"), station.visit(2, code: "yjm-b ")])
      let stored = try await station.stored()
      #expect(stored.map(\.state) == [.matched, .matched])
      #expect(stored.map(\.member) == ["members/" + hexID(1), "members/" + hexID(2)])
      let calls = world.members.resolveCalls
      try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      #expect(world.members.resolveCalls == calls, "a resolved code is remembered")
      #expect(try await station.countersAgree())
    }
  }

  @Test("a code from the feed needs no call")
  func knownByFeed() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.emitMembership("YJM-A", member: 1)
      try await world.feed.catchUp()
      try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      #expect(try await station.stored().map(\.state) == [.matched])
      #expect(world.members.resolveCalls == 0)
    }
  }

  @Test("the code of a former member matches nobody, until they are a member again")
  func gone() async throws {
    try await World.run { world in
      let station = try await world.station()
      for (turn, state) in [MembershipState.active, .left, .active, .expelled].enumerated() {
        world.members.emitMembership("YJM-A", member: 1, state: state)
        try await world.feed.catchUp()
        try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
        let states = try await station.stored().map(\.state)
        #expect(states.filter { $0 == .matched }.count == [1, 1, 3, 3][turn])
      }
      #expect(try await station.countersAgree())
    }
  }

  @Test("the code of a merged record matches the survivor, while that one is a member")
  func mergedRecord() async throws {
    try await World.run { world in
      let station = try await world.station()
      let survivor = "members/" + hexID(1)
      func visit() async throws -> String {
        try await world.feed.catchUp()
        try await station.report(uuid(), [station.visit(1, code: "YJM-B")])
        return try #require(try await station.stored().last).member
      }
      world.members.emitMembership("YJM-A", member: 1)
      world.members.emitMembership("YJM-B", member: 2, state: .merged, survivor: 1)
      #expect(try await visit() == survivor)
      world.members.emitMembership("YJM-A", member: 1, state: .left)
      #expect(try await visit().isEmpty)
      world.members.emitMembership("YJM-A", member: 1)
      #expect(try await visit() == survivor)
      #expect(try await station.stored().map(\.member) == [survivor, survivor, survivor])
      // Merged and left in one batch of events; then the merge is undone.
      world.members.emitMembership("YJM-B", member: 2)
      world.members.emitMembership("YJM-B", member: 2, state: .merged, survivor: 1)
      world.members.emitMembership("YJM-A", member: 1, state: .left)
      #expect(try await visit().isEmpty)
      world.members.emitMembership("YJM-B", member: 2)
      #expect(try await visit() == "members/" + hexID(2))
      #expect(try await station.countersAgree())
    }
  }

  @Test(
    "while yijia-members is down visits stay unmatched; the feed matches them and updates counters")
  func downThenFed() async throws {
    try await World.run { world in
      let station = try await world.station()
      let other = try await world.station()
      world.members.isDown = true
      let codes = ["YJM-A", "YJM-B", "YJM-A", "YJM-C", ""]
      try await station.report(
        uuid(), codes.enumerated().map { station.visit(Int64($0) + 1, code: $1) })
      try await other.report(uuid(), [other.visit(1, code: "YJM-A")])
      var day = try #require(try await station.days().first)
      #expect(day.unmatched == 4 && day.matched == 0 && day.anonymous == 1)

      world.members.isDown = false
      world.members.emitMembership("YJM-A", member: 1, group: .courier)
      world.members.emitMembership("YJM-B", member: 2)
      try await world.feed.catchUp()
      day = try #require(try await station.days().first)
      #expect(day.visits == 5 && day.unmatched == 1 && day.matched == 3)
      #expect(day.uniqueMembers == 2)
      #expect(try await other.days().map(\.matched) == [1])
      #expect(try await station.stored().map(\.state.rawValue) == [1, 1, 1, 2, 3])
      #expect(try await station.countersAgree())
      // The same events again, as from a restored feed, change nothing.
      world.members.restore()
      try await world.database.write(
        Commit(
          at: world.clock.now,
          statements: [world.feed.consumer.reset(to: .start, at: world.clock.now)]))
      try await world.feed.catchUp()
      #expect(try await station.countersAgree())
      #expect(try await station.days().first == day)
    }
  }

  @Test("an unavailable yijia-members delays the first batch only")
  func circuit() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.isDown = true
      let elapsed = try await ContinuousClock().measure {
        for _ in 0..<5 { try await station.report(uuid(), [station.visit(1, code: "YJM-A")]) }
      }
      // On a slow machine the pause may be over meanwhile, and one more call is made.
      #expect(world.members.resolveCalls <= 1 + Int(elapsed / Circuit.pauseFirst))
    }
  }

  @Test("an unresponsive yijia-members delays a batch by the timeout at most")
  func silent() async throws {
    var configuration = StationsConfiguration()
    configuration.resolveTimeoutMilliseconds = 50
    try await World.run(configuration) { world in
      let station = try await world.station()
      world.members.isSilent = true
      let elapsed = try await ContinuousClock().measure {
        try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      }
      #expect(elapsed < .seconds(5))
      #expect(try await station.stored().map(\.state) == [.unmatched])
    }
  }

  @Test("yijia-members gets no more time than the kiosk's call has left")
  func hurried() async throws {
    var configuration = StationsConfiguration()
    configuration.resolveTimeoutMilliseconds = 10_000
    try await World.run(configuration) { world in
      let station = try await world.station()
      var options = CallOptions()
      options.timeout = .seconds(8)
      try await station.report(uuid(), [station.visit(1, code: "YJM-A")], options)
      let left = try #require(world.members.timeLeft)
      #expect(left <= .seconds(8))
    }
  }

  @Test("more waiting visits than one commit may match are matched in several")
  func manyWaiting() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.isDown = true
      let count = Int64(MembersFeed.visitsPerCommit * 2 + 30)
      try await station.report(uuid(), (1...count).map { station.visit($0, code: "YJM-A") })
      world.members.isDown = false
      world.members.emitMembership("YJM-A", member: 1)
      try await world.feed.catchUp()
      let day = try #require(try await station.days().first)
      #expect(day.matched == count && day.unmatched == 0 && day.uniqueMembers == 1)
      #expect(try await station.countersAgree())
    }
  }

  @Test("a visit stored concurrently with its member's event is matched when the feed connects")
  func leftBehind() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.isDown = true
      try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      // The result of a race between two replicas: a known code and an unmatched visit.
      var commit = Commit(at: world.clock.now)
      MemberCodeStore.store(
        KnownMember(id: hexID(1), group: .courier), code: CheckedVisit.sha256("YJM-A"),
        in: &commit)
      try await world.database.write(commit)
      try await world.feed.matchLeftBehind()
      #expect(try await station.stored().map(\.state) == [.matched])
      #expect(try await station.countersAgree())
    }
  }

  @Test("two visits with one id, stored concurrently at two points, are both matched")
  func doubled() async throws {
    try await World.run { world in
      // SQLite's index covers all points.
      guard world.database.dialect == .postgres else { return }
      world.members.isDown = true
      let stations = [try await world.station(), try await world.station()]
      for station in stations {
        try await station.report(uuid(), [station.visit(1, code: "YJM-A")])
      }
      let id = String(try await stations[0].stored()[0].name.dropFirst("visits/".count))
      try await world.database.write(
        Commit(
          at: world.clock.now,
          statements: [
            Statement("UPDATE visit SET received_at = received_at + 1 WHERE id = ?1", [id]),
            Statement("UPDATE visit SET id = ?1", [id]),
          ]))
      world.members.isDown = false
      world.members.emitMembership("YJM-A", member: 1)
      try await world.feed.catchUp()
      for station in stations {
        #expect(try await station.stored().map(\.state) == [.matched])
      }
    }
  }

  @Test("the running feed matches, survives an outage and continues from its cursor")
  func running() async throws {
    try await World.run(clock: TestClock(isSystem: true)) { world in
      let point = try await world.createPoint()
      try await world.open(point.name)
      let kiosk = try await world.registerKiosk(at: point.name).kiosk ?? Kiosk()
      let station = Station(world: world, point: point.name, kiosk: kiosk.name)
      world.members.isDown = true
      try await station.report(
        uuid(), [station.visit(1, code: "YJM-A"), station.visit(2, code: "YJM-B")])
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await world.feed.run() }
        world.members.emitMembership("YJM-A", member: 1)
        world.members.isDown = false
        try await eventually { try await station.days().first?.matched == 1 }
        world.members.restore()
        world.members.emitMembership("YJM-B", member: 2)
        try await eventually { try await station.days().first?.matched == 2 }
        group.cancelAll()
      }
      #expect(try await station.countersAgree())
    }
  }

  @Test("the text of a code is in no file of the store")
  func noCodeText() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.isDown = true
      try await station.report(uuid(), [station.visit(1, code: "YJM-SECRETCODE")])
      for bytes in try await world.storedBytes() {
        #expect(bytes.range(of: Array("SECRETCODE".utf8)) == nil)
      }
    }
  }
}

@Suite struct CircuitTests {
  @Test("after a failure there is a pause, then one call, and the pause doubles")
  func pauses() {
    let start = ContinuousClock.now
    var circuit = Circuit()
    func allows(after seconds: Double) -> Bool {
      circuit.allowsCall(at: start + .seconds(seconds))
    }
    #expect(allows(after: 0))
    #expect(allows(after: 0), "closed: everybody calls")
    circuit.failed(at: start)
    #expect(!allows(after: 0.999))
    #expect(allows(after: 1))
    #expect(!allows(after: 1), "one tries, the others don't wait for it")
    circuit.failed(at: start + .seconds(1))
    #expect(!allows(after: 2.999))
    #expect(allows(after: 3))
    circuit.abandoned()
    #expect(allows(after: 3))
    circuit.succeeded()
    #expect(circuit == Circuit())
  }

  @Test("codes are asked for within the deadline of the call, and one too short opens no circuit")
  func callersDeadline() async throws {
    let members = FakeMembers()
    members.enroll("YJM-A", member: 1)
    members.isSilent = true
    let resolver = MemberResolver(
      channel: try InProcessChannel(services: [members]), timeout: .seconds(60),
      logger: Logger(label: "test"))
    var options = CallOptions()
    options.deadline = .after(.milliseconds(20))
    #expect(await resolver.members(of: ["YJM-A"], options).isEmpty)
    members.isSilent = false
    #expect(await resolver.members(of: ["YJM-A"]).count == 1)
  }
}
