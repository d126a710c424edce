import RPC
import ServiceKit
import StationsV1
import TestWaiting
import Testing
import YijiaTypeV1

@testable import StationsCore

@Suite struct OccupancyTests {
  @Test("a watcher gets the count at once, then at every change")
  func changes() async throws {
    try await World.run { world in
      let station = try await world.station()
      let stream = try await station.watch()
      var iterator = stream.makeAsyncIterator()
      let initial = try await iterator.next()
      let first = try #require(initial)
      #expect(first.present == 0 && first.capacity == 40 && first.point == station.point)
      let epoch = uuid()
      try await station.report(
        epoch, [station.visit(1, code: "YJM-A"), station.visit(2), station.visit(3)])
      let three = try await iterator.reaches(3)
      #expect(three)
      try await station.report(
        epoch,
        [
          station.visit(4, code: "YJM-A", direction: .departure),
          station.visit(5, direction: .departure),
        ])
      let one = try await iterator.reaches(1)
      #expect(one)
      stream.cancel()
      try await eventually { world.service.hub.watcherCount == 0 }
    }
  }

  @Test("a replay and a departure without a stay change nothing")
  func nobody() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      let visits = [station.visit(1, direction: .departure), station.visit(2)]
      try await station.report(epoch, visits)
      try await station.report(epoch, visits)
      #expect(try await station.present() == 1)
      #expect(try await station.days().map(\.visits) == [1], "a departure is no visit")
    }
  }

  @Test("a stay ends by itself after the longest stay, without a commit")
  func expiry() async throws {
    var configuration = StationsConfiguration()
    configuration.visits.stayMaxMinutes = 1
    configuration.visits.stateToleranceSeconds = 600
    let clock = TestClock()
    try await World.run(configuration, clock: clock) { world in
      let point = try await world.createPoint()
      try await world.open(point.name)
      let kiosk = try await world.registerKiosk(at: point.name).kiosk ?? Kiosk()
      let station = Station(world: world, point: point.name, kiosk: kiosk.name)
      // Its minute is nearly over, and the clock stands: the watcher counts repeatedly.
      try await station.report(uuid(), [station.visit(1, secondsAgo: 59.99)])
      let stream = try await station.watch()
      var iterator = stream.makeAsyncIterator()
      let present = try await iterator.next()?.present
      try #require(present == 1)
      clock.advance(seconds: 1)
      let later = try await iterator.next()?.present
      #expect(later == 0)
      stream.cancel()
    }
  }

  @Test("a departure ends the oldest stay with its code, else the oldest anonymous one")
  func whoLeaves() {
    let now: Int64 = 1_795_233_600_000_000
    let minute: Int64 = 60_000_000
    let stays = [
      Stay(visit: "a", code: CheckedVisit.sha256("A"), arrivedAt: now - 90 * minute),
      Stay(visit: "n", code: nil, arrivedAt: now - 60 * minute),
      Stay(visit: "a2", code: CheckedVisit.sha256("A"), arrivedAt: now - 30 * minute),
      Stay(visit: "over", code: nil, arrivedAt: now - 300 * minute),
    ]
    func closed(_ departures: (String, Int64)...) -> [String] {
      let taken = departures.enumerated().map { index, departure in
        VisitBatch.Taken(
          visit: VisitJudgementTests.visit(at: now - departure.1 * minute, direction: .departure) {
            $0.memberCode = departure.0
            $0.sequence = Int64(index + 1)
          }, state: .unmatched, reason: .unspecified, day: 0)
      }
      return StayChanges(
        taken, stored: stays, rules: VisitSettings().rules, now: now
      ).closed
    }
    #expect(closed(("A", 0)) == ["a"])
    #expect(closed(("A", 0), ("A", 0)) == ["a", "a2"])
    #expect(closed(("B", 0)) == ["n"])
    #expect(closed(("", 0), ("", 0), ("", 0), ("", 0)) == ["n", "a", "a2"])
    #expect(closed(("B", 0), ("B", 0)) == ["n"], "a stranger ends no member's stay")
    #expect(closed(("A", 100)) == ["over"], "nobody goes before they came")
  }

  @Test("a kiosk watches its own point only, staff those of their subtree")
  func scope() async throws {
    try await World.run { world in
      let station = try await world.station()
      let other = try await world.station()
      for caller in [other.kioskCaller, .staff(Tree.elsewhere)] {
        await expectFailure("OUT_OF_SCOPE") {
          for try await _ in try await station.watch(as: caller) {}
        }
      }
      var iterator = try await station.watch(as: station.kioskCaller).makeAsyncIterator()
      let present = try await iterator.next()?.present
      #expect(present == 0)
    }
  }
}

extension Station {
  fileprivate func watch(
    as caller: Caller = .staff(Tree.county, role: .viewer)
  ) async throws -> ResponseStream<WatchOccupancyResponse> {
    var request = WatchOccupancyRequest()
    request.point = point
    return try await world.client(caller).watchOccupancy(request)
  }

  fileprivate func present() async throws -> Int32? {
    var iterator = try await watch().makeAsyncIterator()
    return try await iterator.next()?.present
  }
}

extension ResponseStream<WatchOccupancyResponse>.AsyncIterator {
  /// Reads until that many people are present: a report may be split, and notifications merged.
  fileprivate mutating func reaches(_ present: Int32) async throws -> Bool {
    while let response = try await next() {
      if response.present == present { return true }
    }
    return false
  }
}
