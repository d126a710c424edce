import GoogleProtobuf
import MembersV1
import ServiceKit
import StationsV1
import Testing

@testable import StationsCore

@Suite struct VisitJudgementTests {
  static let day: Int64 = 86_400_000_000
  static let now: Int64 = 1_795_233_600_000_000
  static let rules = VisitSettings().rules
  static let open = PointHistory(entries: [
    .init(from: now - 400 * day, state: .planned), .init(from: now - 399 * day, state: .open),
  ])
  static let stream = KioskStream(
    kiosk: hexID(5), point: hexID(6), epoch: uuid(), skewMilliseconds: 0, softwareVersion: "")

  static func visit(
    at instant: Int64, direction: Direction = .arrival,
    change: (inout ReportedVisit) -> Void = { _ in }
  ) -> CheckedVisit {
    var visit = ReportedVisit()
    visit.sequence = 1
    visit.visitID = uuid()
    visit.deviceTime = Timestamp(microseconds: instant)
    visit.direction = direction
    change(&visit)
    return CheckedVisit(visit, of: stream)
  }

  static func reason(
    _ visit: CheckedVisit, history: PointHistory = open
  ) -> SetAsideReason? {
    rules.reasonToSetAside(visit, history: history, now: now)
  }

  @Test("the clock limits are inclusive")
  func limits() {
    let future: Int64 = 300_000_000
    #expect(Self.reason(Self.visit(at: Self.now + future)) == nil)
    #expect(Self.reason(Self.visit(at: Self.now + future + 1)) == .timeInFuture)
    #expect(Self.reason(Self.visit(at: Self.now - 30 * Self.day)) == nil)
    #expect(Self.reason(Self.visit(at: Self.now - 30 * Self.day - 1)) == .timeTooOld)
  }

  @Test("an offline visit is judged by the point's state at its own time")
  func pointState() {
    let opened = Self.now - 10 * Self.day
    let suspended = Self.now - 5 * Self.day
    let history = PointHistory(entries: [
      .init(from: Self.now - 20 * Self.day, state: .planned), .init(from: opened, state: .open),
      .init(from: suspended, state: .suspended),
    ])
    let tolerance: Int64 = 5_000_000
    let at = { (instant: Int64) in Self.reason(Self.visit(at: instant), history: history) }
    #expect(at(opened) == nil)
    #expect(at(opened - tolerance) == nil)
    #expect(at(opened - tolerance - 1) == .pointNotOpen)
    #expect(at(suspended - 1) == nil)
    #expect(at(suspended + tolerance - 1) == nil)
    #expect(at(suspended + tolerance) == .pointNotOpen)
    #expect(at(Self.now) == .pointNotOpen)
    #expect(
      Self.reason(Self.visit(at: Self.now, direction: .departure), history: history) == nil)
    #expect(
      Self.reason(Self.visit(at: Self.now), history: PointHistory(entries: [])) == .pointNotOpen)
  }

  @Test("a malformed field sets a visit aside with the fault")
  func malformed() {
    let changes: [(inout ReportedVisit) -> Void] = [
      { $0.visitID = "1" }, { $0.deviceTime = nil }, { $0.deviceTime?.nanos = -1 },
      { $0.servicesUsed = [.unspecified] }, { $0.servicesUsed = [.unrecognized(99)] },
      { $0.direction = .unrecognized(9) }, { $0.memberCode = "a\u{0}b" },
      { $0.memberCode = String(repeating: "9", count: 129) },
    ]
    for change in changes {
      let visit = Self.visit(at: Self.now, change: change)
      #expect(visit.fault != nil)
      #expect(Self.reason(visit) == .malformed)
      #expect(IDSource.isIdentifier(visit.id))
    }
    let fine = Self.visit(at: Self.now) { $0.memberCode = String(repeating: "9", count: 128) }
    #expect(fine.fault == nil)
  }

  @Test("a code is the same in any case and with outer spaces, and hashed as members does")
  func codes() {
    let visit = Self.visit(at: Self.now) { $0.memberCode = " yjm-0a\n" }
    #expect(visit.codeSHA256 == CheckedVisit.sha256("YJM-0A"))
    #expect(visit.code == "YJM-0A")
  }

  @Test("a batch is split at the first gap; replays have no effect")
  func batch() {
    let numbered = [3, 4, 4, 5, 2, 8, 9].map { sequence in
      Self.visit(at: Self.now) { $0.sequence = Int64(sequence) }
    }
    let batch = VisitBatch(
      numbered, of: Self.stream,
      facts: .init(acknowledged: 3, kiosksByVisit: [:], history: Self.open, members: [:]),
      rules: Self.rules, now: Self.now)
    #expect(batch.taken.map(\.visit.sequence) == [4, 5])
    #expect(batch.acknowledged == 5)
    #expect(batch.replayed == [3, 2])
    #expect(batch.gap == 8)
  }

  @Test("the kiosk gets notices of visits set aside, again on a replay")
  func notices() async throws {
    try await World.run { world in
      let station = try await world.station()
      let visits = [
        station.visit(1), station.visit(2, secondsAgo: -301),
        station.visit(3, secondsAgo: 2 * 86_400), station.visit(4, id: "x"),
        station.visit(5, secondsAgo: 31 * 86_400),
      ]
      let expected: [Int64: SetAsideReason] = [
        2: .timeInFuture, 3: .pointNotOpen, 4: .malformed, 5: .timeTooOld,
      ]
      let epoch = uuid()
      for _ in 0..<2 {
        let notices = try await station.report(epoch, visits).flatMap(\.notices)
        #expect(
          Dictionary(uniqueKeysWithValues: notices.map { ($0.sequence, $0.reason) }) == expected)
        #expect(notices.allSatisfy { !$0.message.isEmpty })
      }
      let stored = try await station.stored()
      #expect(stored.map(\.state) == [.anonymous, .setAside, .setAside, .setAside, .setAside])
      #expect(stored.map(\.setAsideReason.rawValue) == [0, 1, 3, 4, 2])
      let days = try await station.days()
      #expect(days.map(\.setAside).reduce(0, +) == 4)
      #expect(days.map(\.visits).reduce(0, +) == 1)
      #expect(try await station.countersAgree())
    }
  }

  @Test("a visit before the point opened is set aside, one after it counts")
  func beforeOpening() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      let kiosk = try await world.registerKiosk(at: point.name).kiosk ?? Kiosk()
      let station = Station(world: world, point: point.name, kiosk: kiosk.name)
      let epoch = uuid()
      let first = try await station.report(epoch, [station.visit(1)])
      #expect(first.last?.notices.map(\.reason) == [.pointNotOpen])
      #expect(first.last?.acknowledgedSequence == 1)
      world.clock.advance(seconds: 60)
      try await world.open(point.name)
      let second = try await station.report(
        epoch, [station.visit(2), station.visit(3, secondsAgo: 30)])
      #expect(second.last?.notices.map(\.sequence) == [3])
      #expect(try await station.days().map(\.visits) == [1])
    }
  }
}
