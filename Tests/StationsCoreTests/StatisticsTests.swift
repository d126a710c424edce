import GoogleType
import RPC
import ServiceKit
import StationsV1
import Testing
import YijiaTypeV1

@testable import StationsCore

@Suite struct StatisticsTests {
  @Test("visits are counted by point and day in China, members once a day")
  func days() async throws {
    try await World.run { world in
      let station = try await world.station()
      world.members.enroll("YJM-A", member: 1)
      world.members.enroll("YJM-B", member: 2)
      // It is noon in China: twelve hours and a second ago was yesterday.
      let yesterday = 12 * 3_600 + 1.0
      try await station.report(
        uuid(),
        [
          station.visit(1, code: "YJM-A", secondsAgo: yesterday),
          station.visit(2, code: "YJM-A", secondsAgo: yesterday - 1),
          station.visit(3, code: "YJM-A"), station.visit(4, code: "YJM-B"),
          station.visit(5, code: "YJM-A"), station.visit(6, code: "YJM-X"), station.visit(7),
          station.visit(8, secondsAgo: -9_999),
          station.visit(9, code: "YJM-B", direction: .departure),
        ])
      let days = try await station.days()
      #expect(days.map(\.date?.day) == [21, 22])
      #expect(days.map(\.visits) == [1, 6])
      #expect(days.map(\.matched) == [1, 4])
      #expect(days.map(\.unmatched) == [0, 1])
      #expect(days.map(\.anonymous) == [0, 1])
      #expect(days.map(\.uniqueMembers) == [1, 2])
      #expect(days.map(\.setAside) == [0, 1])
      #expect(days.allSatisfy { $0.displayName == "司机之家" && $0.point == station.point })
      #expect(try await station.countersAgree())
    }
  }

  @Test("dates bound the result, inclusively; a subtree has all of its points")
  func bounds() async throws {
    try await World.run { world in
      let first = try await world.station()
      try await first.report(uuid(), [first.visit(1, secondsAgo: 43_201), first.visit(2)])
      let second = try await world.station()
      try await second.report(uuid(), [second.visit(1)])
      let client = try world.client(.staff(Tree.city))
      var request = GetDailyVisitStatisticsRequest()
      let all = try await client.getDailyVisitStatistics(request).days
      #expect(all.count == 3)
      #expect(all.map(\.point) == all.map(\.point).sorted())
      request.startDate = date(22)
      request.endDate = date(22)
      let one = try await client.getDailyVisitStatistics(request).days
      #expect(one.map(\.point) == [first.point])
      request.startDate = date(23)
      await expectFailure("INVALID_FIELDS end_date=BEFORE_START") {
        try await client.getDailyVisitStatistics(request)
      }
      request.startDate = date(31)
      await expectFailure("INVALID_FIELDS start_date=INVALID_DATE") {
        try await client.getDailyVisitStatistics(request)
      }
    }
  }

  @Test("staff of another province see nothing, not even a named point")
  func scope() async throws {
    try await World.run { world in
      let station = try await world.station()
      try await station.report(uuid(), [station.visit(1)])
      let outsider = try world.client(.staff(Tree.elsewhere))
      var request = GetDailyVisitStatisticsRequest()
      #expect(try await outsider.getDailyVisitStatistics(request).days.isEmpty)
      request.point = station.point
      await expectFailure("OUT_OF_SCOPE") { try await outsider.getDailyVisitStatistics(request) }
      var list = ListVisitsRequest()
      list.point = station.point
      await expectFailure("OUT_OF_SCOPE") { try await outsider.listVisits(list) }
    }
  }

  @Test("visits are listed for one kiosk or all, and a page token is valid for its list only")
  func list() async throws {
    try await World.run { world in
      let station = try await world.station()
      let other = try await world.secondKiosk(of: station)
      try await station.report(uuid(), (1...3).map { station.visit($0) })
      try await other.report(uuid(), (1...2).map { other.visit($0) })
      let client = try world.client(.staff(Tree.county, role: .viewer))
      var request = ListVisitsRequest()
      request.point = station.point
      request.kiosk = other.kiosk
      request.pageSize = 1
      let page = try await client.listVisits(request)
      #expect(page.visits.map(\.kiosk) == [other.kiosk])
      request.pageToken = page.nextPageToken
      let last = try await client.listVisits(request)
      #expect(last.visits.map(\.sequence) == [2] && last.nextPageToken.isEmpty)
      request.kiosk = ""
      await expectFailure("the page token is invalid") { try await client.listVisits(request) }
      request.point = "points/" + hexID(404)
      request.pageToken = ""
      await expectFailure("POINT_NOT_FOUND") { try await client.listVisits(request) }
    }
  }

  private func date(_ day: Int32) -> GoogleType.Date {
    var date = GoogleType.Date()
    date.year = 2026
    date.month = 11
    date.day = day
    return date
  }
}
