import Foundation
import GoogleType
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Coverage and counters of subtrees")
struct CoverageRPCTests {
  @Test("coverage states numerator, denominator, its source and date, and the number missing")
  func coverage() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll(
        (1...9).map { number in
          Applicant.application(number) {
            $0.group = number < 4 ? .truckDriver : .courier
            $0.channel = number % 2 == 0 ? .onSiteCeremony : .miniProgram
            if number == 9 { $0.areas?.work = "340604" }
          }
        })
      let client = try harness.client(.administrator)
      var base = SetBaseRequest()
      base.base = .with {
        $0.organization = names["huaibei"] ?? ""
        $0.people = 20
        $0.qualifier = "余"
        $0.source = "人社局 2025 年调查"
        $0.date = .with { ($0.year, $0.month, $0.day) = (2025, 12, 31) }
      }
      for (people, year) in [(20, 2025), (12, 2026), (99, 2024)] as [(Int64, Int32)] {
        base.requestID = UUID().uuidString
        base.base?.people = people
        base.base?.date = .with { ($0.year, $0.month, $0.day) = (year, 10, 31) }
        #expect(try await client.setBase(base).base == base.base)
        #expect(try await client.setBase(base).base == base.base, "a retry")
      }
      var target = SetCoverageTargetRequest()
      target.requestID = UUID().uuidString
      target.target = .with {
        $0.organization = names["huaibei"] ?? ""
        $0.basisPoints = 9_500
      }
      _ = try await client.setCoverageTarget(target)
      var request = GetCoverageRequest()
      request.organization = names["huaibei"] ?? ""
      let found = try await client.getCoverage(request)
      #expect(found.members == 9)
      #expect(found.onlineMembers == 5)
      #expect(found.base?.people == 12, "the newest")
      #expect(found.base?.qualifier == "余")
      #expect(found.coverageBasisPoints == 7_500)
      #expect(found.peopleNeeded == 3)
      #expect(found.date == .day(20_778))
      request.group = .truckDriver
      let drivers = try await client.getCoverage(request)
      #expect(drivers.members == 3)
      #expect(drivers.base == nil)
      var list = ListBasesRequest()
      list.organization = names["huaibei"] ?? ""
      list.pageSize = 2
      let page = try await client.listBases(list)
      list.pageToken = page.nextPageToken
      let rest = try await client.listBases(list)
      #expect((page.bases + rest.bases).map { $0.date?.year } == [2024, 2025, 2026])
      #expect(try await harness.events("coverage.changed").map(\.version) == [1, 2, 3, 4])
      base.requestID = UUID().uuidString
      base.base?.date?.year = 2027
      base.base?.people = 0
      #expect(
        try await refusal { try await client.setBase(base) }
          == "INVALID_FIELDS base.people=OUT_OF_RANGE base.date=IN_FUTURE")
      let far = try harness.client(.staff(names["lieshan"] ?? "", id: 5))
      #expect(try await refusal { try await far.setCoverageTarget(target) } == "OUT_OF_SCOPE")
    }
  }

  @Test("the figures are the same, folded or not, with concurrent folds and enrollments")
  func folds() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for part in 0..<4 {
          group.addTask {
            _ = try await harness.enroll(
              (1...40).map { number in
                Applicant.application(part * 40 + number) {
                  $0.campaign = "春风 \(number % 3)"
                  if number % 4 == 0 { $0.areas?.work = "340604" }
                }
              })
          }
          group.addTask {
            for _ in 0..<8 {
              let fold = CounterFold(database: harness.database, now: harness.clock.now)
              // Two concurrent folds of the same rows: one of them reads again.
              _ = try await fold.foldOnce()
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await harness.countsAgree())
      try await harness.service.foldCounters()
      #expect(try await harness.countsAgree())
      let waiting = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM count_changes") { try $0.int("n") })
      #expect(waiting == 0)
      var request = GetEnrollmentStatisticsRequest()
      request.ancestor = names["xiangshan"] ?? ""
      request.dimensions = [.campaign, .day]
      let client = try harness.client(.administrator)
      #expect(try await client.getEnrollmentStatistics(request).counts.count == 3, "30 days")
      request.startDate = .day(20_000)
      #expect(
        try await refusal { try await client.getEnrollmentStatistics(request) }
          == "INVALID_FIELDS start_date=OUT_OF_RANGE")
      request.startDate = .day(20_700)
      let split = try await client.getEnrollmentStatistics(request)
      #expect(split.liveMembers == 120)
      #expect(split.counts.map(\.campaign) == ["春风 0", "春风 1", "春风 2"])
      #expect(split.counts.map(\.members).reduce(0, +) == 120)
      #expect(split.counts.allSatisfy { $0.date == .day(20_778) && $0.group == .unspecified })
      #expect(
        try await harness.service.recount(report: UpkeepTests.quiet).isEmpty)
    }
  }

  @Test("a subtree's counts move with it")
  func moves() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(Tree.rows + [Tree.zone])
      _ = try await harness.enroll((1...10).map { Applicant.application($0) })
      try await harness.service.foldCounters()
      _ = try await harness.enroll((11...15).map { Applicant.application($0) })
      try await harness.move(names["quegou"] ?? "", below: names["zone"] ?? "")
      for (name, members) in [("zone", 15), ("xiangshan", 0), ("huaibei", 15)] {
        var request = GetCoverageRequest()
        request.organization = names[name] ?? ""
        let found = try await harness.client(.administrator).getCoverage(request)
        #expect(found.members == members, "\(name)")
      }
      #expect(try await harness.service.recount(report: UpkeepTests.quiet).isEmpty)
      try await harness.service.foldCounters()
      #expect(try await harness.service.recount(report: UpkeepTests.quiet).isEmpty)
    }
  }

  @Test("the export is a table of every organization's new members")
  func export() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll(
        (1...3).map { number in
          Applicant.application(number) {
            $0.campaign = number == 3 ? "=SUM(1,\"2\")" : ""
            if number == 2 { $0.areas?.work = "340604" }
          }
        })
      var request = ExportEnrollmentStatisticsRequest()
      request.ancestor = names["huaibei"] ?? ""
      var bytes: [UInt8] = []
      let call = try await harness.client(.staff(names["huaibei"] ?? "", role: .viewer))
        .exportEnrollmentStatistics(request)
      for try await part in call { bytes += part.csv }
      #expect(bytes.prefix(3) == [0xEF, 0xBB, 0xBF])
      let lines = try #require(String(bytes: bytes.dropFirst(3), encoding: .utf8))
        .components(separatedBy: "\r\n")
      #expect(
        lines.first == "organization,organization_name,day,group,channel,campaign,new_members")
      #expect(
        Set(lines.dropFirst()) == [
          "", "quegou,渠沟镇总工会,2026-11-21,COURIER,PARTNER,,1",
          "quegou,渠沟镇总工会,2026-11-21,COURIER,PARTNER,\"'=SUM(1,\"\"2\"\")\",1",
          "huaibei-pool,淮北市会员周转池,2026-11-21,COURIER,PARTNER,,1",
        ])
    }
  }
}

extension Harness {
  /// The events of a kind, in feed order, of the whole feed.
  func events(_ kind: String) async throws -> [FeedEvent] {
    var (found, page): ([FeedEvent], [FeedEvent]) = ([], [])
    repeat {
      page = try await database.feed(after: page.last?.cursor ?? .start)
      found += page.filter { $0.kind == kind }
    } while !page.isEmpty
    return found
  }
}
