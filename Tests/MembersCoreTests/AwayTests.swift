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

@Suite("Drivers who are away, records that are stale, honors, routing again")
struct AwayTests {
  static func report(_ member: String) -> ReportAwayRequest {
    .with {
      $0.requestID = UUID().uuidString
      $0.member = member
      $0.departureDate = .day(20_780)
      $0.returnDate = .day(20_780 + 200)
      $0.details = .with {
        $0.destination = "新疆喀什"
        $0.contact = "13912345678"
        $0.familyNote = "老人需照看"
      }
    }
  }

  @Test(
    "a report is reviewed by another, sampled, checked and tracked; only a reveal shows details"
  )
  func ledger() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let village = try harness.client(.staff(names["quegou"] ?? "", role: .clerk, id: 2))
      let county = try harness.client(.staff(names["xiangshan"] ?? "", role: .clerk, id: 3))
      var wrong = Self.report(member)
      wrong.returnDate = .day(20_780 + 179)
      wrong.details?.contact = "1"
      #expect(
        try await refusal { try await village.reportAway(wrong) }
          == "INVALID_FIELDS return_date=OUT_OF_RANGE details.contact=INVALID_PHONE")
      // 8 concurrent reports: one of them is open.
      let made = await withTaskGroup(of: AwayReport?.self) { group in
        for _ in 0..<8 {
          group.addTask { try? await village.reportAway(Self.report(member)).report }
        }
        return await group.reduce(into: [AwayReport]()) { if let report = $1 { $0.append(report) } }
      }
      #expect(made.count == 1)
      let report = try #require(made.first)
      #expect(
        try await refusal { try await village.reportAway(Self.report(member)) }
          == "AWAY_REPORT_OPEN")
      var review = ReviewAwayReportRequest()
      (review.requestID, review.name) = (UUID().uuidString, report.name)
      #expect(try await refusal { try await village.reviewAwayReport(review) } == "OWN_REPORT")
      (review.sendBack, review.note) = (true, "联系电话有误")
      #expect(try await county.reviewAwayReport(review).report?.state == .returnedForFix)
      var fix = FixAwayReportRequest()
      (fix.requestID, fix.name) = (UUID().uuidString, report.name)
      let plan = Self.report(member)
      (fix.departureDate, fix.returnDate, fix.details) =
        (plan.departureDate, plan.returnDate, plan.details)
      #expect(try await village.fixAwayReport(fix).report?.state == .reported)
      (review.requestID, review.sendBack) = (UUID().uuidString, false)
      #expect(try await county.reviewAwayReport(review).report?.state == .filed)
      let checker = try harness.client(.staff(names["xiangshan"] ?? "", role: .clerk, id: 4))
      try await drawAndTrack(report, county, checker, village, harness.clock)
      var reveal = RevealAwayReportRequest()
      (reveal.name, reveal.reason) = (report.name, "电话核查")
      let shown = try await county.revealAwayReport(reveal)
      #expect(shown.details?.destination == "新疆喀什")
      let far = try harness.client(.staff(names["lieshan"] ?? "", role: .clerk))
      #expect(
        try await refusal { try await far.revealAwayReport(reveal) } == "AWAY_REPORT_NOT_FOUND")
      var list = ListAwayReportsRequest()
      #expect(try await county.listAwayReports(list).reports.isEmpty)
      (list.states, list.sampledOnly) = ([.returned], true)
      #expect(try await county.listAwayReports(list).reports.map(\.name) == [report.name])
      for file in try await harness.storedBytes() {
        #expect(file.range(of: Data("新疆喀什".utf8)) == nil)
      }
    }
  }

  /// The county samples and checks the report; the member departs and returns.
  private func drawAndTrack(
    _ report: AwayReport, _ county: MembersServiceClient, _ checker: MembersServiceClient,
    _ village: MembersServiceClient, _ clock: TestClock
  ) async throws {
    var draw = DrawAwaySampleRequest()
    (draw.requestID, draw.count) = (UUID().uuidString, 5)
    let drawn = try await county.drawAwaySample(draw)
    #expect(drawn.reports == [report.name])
    #expect(drawn.population == 1)
    #expect(try await county.drawAwaySample(draw) == drawn, "a retry")
    var check = RecordAwayCheckRequest()
    (check.requestID, check.name, check.result) = (UUID().uuidString, report.name, .confirmed)
    #expect(try await refusal { try await county.recordAwayCheck(check) } == "OWN_REPORT")
    #expect(try await checker.recordAwayCheck(check).report?.checkResult == .confirmed)
    var track = TrackAwayReportRequest()
    (track.requestID, track.name) = (UUID().uuidString, report.name)
    track.date = .day(20_780)
    #expect(
      try await refusal { try await village.trackAwayReport(track) }
        == "INVALID_FIELDS date=IN_FUTURE")
    clock.advance(days: 2)
    #expect(try await village.trackAwayReport(track).report?.state == .away)
    clock.advance(days: 190)
    (track.requestID, track.hasReturned) = (UUID().uuidString, true)
    track.date = .day(20_970)
    let back = try await village.trackAwayReport(track).report
    #expect(back?.state == .returned)
    #expect(back?.returnDate == .day(20_970))
  }

  @Test("a report moves with its member to another union, and ends with the membership")
  func followed() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let village = Caller.staff(names["quegou"] ?? "", role: .clerk, id: 2)
      let drivers = Caller.staff(names["drivers"] ?? "", role: .clerk, id: 3)
      let report = try await harness.client(village).reportAway(Self.report(member)).report
      let asked = try await harness.ask(names["drivers"] ?? "", as: .member(member))
      _ = try await harness.accept(asked.name, as: drivers)
      let listed = { (caller: Caller, states: [AwayState]) in
        try await harness.client(caller).listAwayReports(.with { $0.states = states }).reports
          .map(\.name)
      }
      #expect(try await listed(village, []).isEmpty)
      #expect(try await listed(drivers, []) == [report?.name])
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
      var review = ReviewAwayReportRequest()
      (review.requestID, review.name) = (UUID().uuidString, report?.name ?? "")
      #expect(
        try await harness.client(drivers).reviewAwayReport(review).report?.state == .filed)
      _ = try await harness.leave("", as: .member(member))
      #expect(try await listed(drivers, []).isEmpty)
      #expect(try await listed(drivers, [.ended]) == [report?.name])
      #expect(try await harness.events("away_report.changed").count == 3)
      let back = try await harness.submit(Applicant.application(1), as: .administrator).member
      #expect(back == member)
      let next = try await harness.client(.administrator).reportAway(Self.report(member)).report
      #expect(next?.state == .reported)
    }
  }

  @Test("a request that was in time is replayed on a later day, but is late as a new one")
  func midnight() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let client = try harness.client(.staff(names["xiangshan"] ?? ""))
      var report = Self.report(member)
      var list = CreateOutreachListRequest()
      (list.requestID, list.displayName, list.means) = (UUID().uuidString, "上门动员", .visit)
      list.dueDate = .day(20_780)
      var round = OpenRefreshRoundRequest()
      (round.requestID, round.dueDate) = (UUID().uuidString, .day(20_780))
      let first = (
        try await client.reportAway(report), try await client.createOutreachList(list),
        try await client.openRefreshRound(round).round?.name
      )
      harness.clock.advance(days: 3)
      #expect(try await client.reportAway(report) == first.0)
      #expect(try await client.createOutreachList(list) == first.1)
      #expect(try await client.openRefreshRound(round).round?.name == first.2)
      _ = try await harness.leave("", as: .member(member))
      _ = try await harness.submit(Applicant.application(1), as: .administrator)
      report.requestID = UUID().uuidString
      (list.requestID, round.requestID) = (UUID().uuidString, UUID().uuidString)
      #expect(
        try await refusal { try await client.reportAway(report) }
          == "INVALID_FIELDS departure_date=IN_PAST")
      #expect(
        try await refusal { try await client.createOutreachList(list) }
          == "INVALID_FIELDS due_date=IN_PAST")
      #expect(
        try await refusal { try await client.openRefreshRound(round) }
          == "INVALID_FIELDS due_date=IN_PAST")
    }
  }

  @Test("a round lists records not confirmed for three months, and tracks them")
  func freshness() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...5).map { Applicant.application($0) })
      harness.clock.advance(days: 60)
      _ = try await harness.enroll([Applicant.application(6)])
      let members = try await harness.members()
      let client = try harness.client(.staff(names["huaibei"] ?? "", role: .clerk))
      let confirm = { (member: String) in
        try await client.confirmMember(
          .with {
            $0.requestID = UUID().uuidString
            $0.name = member
          })
      }
      let first = try #require(
        members.first { $0.joinDate == .day(20_778) })
      _ = try await confirm(first.name)
      harness.clock.advance(days: 40)
      var open = OpenRefreshRoundRequest()
      (open.requestID, open.dueDate) = (UUID().uuidString, .day(20_900))
      let round = try #require(try await client.openRefreshRound(open).round)
      #expect(round.staleRecords == 4)
      let again = try await client.openRefreshRound(open).round
      #expect(again?.name == round.name, "a retry")
      var whole = open
      (whole.requestID, whole.allRecords) = (UUID().uuidString, true)
      #expect(
        try await client.openRefreshRound(whole).round?.staleRecords == 6, "the fresh ones too")
      // The size of a round is bounded and counted first.
      let all = PathRange(subtreeOf: "")
      for (most, counted) in [(4, 5), (5, 6), (6, 6)] {
        let query = RefreshStore.staleRecords(of: all, firstFreshDay: 30_000, recordsMax: most)
        #expect(try await harness.database.read(query) == Int64(counted))
      }
      var list = ListRefreshRecordsRequest()
      (list.round, list.pageSize) = (round.name, 3)
      let page = try await client.listRefreshRecords(list)
      list.pageToken = page.nextPageToken
      let records = page.records + (try await client.listRefreshRecords(list)).records
      #expect(Set(records.map(\.member)).count == 4)
      #expect(!records.map(\.member).contains(first.name))
      var mark = MarkUnreachableRequest()
      (mark.requestID, mark.round, mark.member) =
        (UUID().uuidString, round.name, records[0].member)
      #expect(try await client.markUnreachable(mark).record?.state == .unreachable)
      _ = try await confirm(records[0].member)
      _ = try await confirm(records[1].member)
      mark.requestID = UUID().uuidString
      #expect(try await refusal { try await client.markUnreachable(mark) } == "REFRESH_STATE")
      var get = GetRefreshRoundRequest()
      get.name = round.name
      let now = try await client.getRefreshRound(get).round
      #expect(now?.confirmedRecords == 2)
      #expect(now?.staleRecords == 2)
      var close = CloseRefreshRoundRequest()
      (close.requestID, close.name) = (UUID().uuidString, round.name)
      #expect(try await client.closeRefreshRound(close).round?.closed == true)
      _ = try await confirm(records[2].member)
      #expect(try await client.getRefreshRound(get).round?.confirmedRecords == 2, "it is closed")
      let far = try harness.client(.staff(names["lieshan"] ?? "", role: .clerk))
      #expect(
        try await refusal { try await far.getRefreshRound(get) } == "REFRESH_ROUND_NOT_FOUND")
    }
  }

  @Test("an honor is recorded once per event, and stays revoked")
  func honors() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let contests = try harness.client(.service("contests"))
      var request = RecordHonorRequest()
      request.honor = .with {
        $0.member = member
        $0.sourceEvent = "titles/1/confirmed"
        $0.title = "淮北市技术能手"
        $0.date = .day(20_000)
      }
      for _ in 0..<3 { _ = try await contests.recordHonor(request) }
      var list = ListHonorsRequest()
      list.member = member
      let client = try harness.client(.administrator)
      #expect(try await client.listHonors(list).honors == [request.honor].compactMap { $0 })
      request.honor?.title = "另一称号"
      #expect(try await refusal { try await contests.recordHonor(request) } == "HONOR_CONFLICT")
      request.honor?.title = "淮北市技术能手"
      request.honor?.revoked = true
      _ = try await contests.recordHonor(request)
      request.honor?.revoked = false
      #expect(try await contests.recordHonor(request).honor?.revoked == true, "it came late")
      #expect(try await client.listHonors(list).honors.map(\.revoked) == [true])
    }
  }

  @Test("members who belong to a union of rule 1 or 2 are listed, and moved on request")
  func rerouting() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(
        Tree.rows.filter { !["drivers", "freight-union"].contains($0.externalID) })
      for number in 1...6 {
        _ = try await harness.submit(
          Applicant.application(number) {
            if number < 3 { $0.group = .truckDriver }
            if number == 3 {
              $0.labourRelation = .clear
              $0.employerCreditCode = Tree.employerCreditCode
            }
          }, as: .administrator)
      }
      let later = try await harness.importing(
        Tree.rows.filter { ["drivers", "freight-union"].contains($0.externalID) })
      #expect(later.count == 2)
      let client = try harness.client(.staff(names["xiangshan"] ?? "", role: .clerk))
      var request = PreviewReroutingRequest()
      request.pageSize = 4
      var found: [Rerouting] = []
      repeat {
        let page = try await client.previewRerouting(request)
        found += page.reroutings
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(
        found.map(\.route).sorted { $0.rawValue < $1.rawValue }
          == [.employerUnion, .industryFederation, .industryFederation])
      #expect(
        found.allSatisfy { $0.fromOrganization == names["quegou"] && !$0.routeReason.isEmpty })
      #expect(Set(try await harness.members().map(\.organization)) == [names["quegou"]])
      var apply = ApplyReroutingRequest()
      apply.requestID = UUID().uuidString
      apply.members = try await harness.members().map(\.name)
      let moved = try await client.applyRerouting(apply)
      #expect(Set(moved.reroutings) == Set(found))
      #expect(try await client.applyRerouting(apply) == moved, "a retry")
      let members = try await harness.members()
      #expect(members.filter { $0.managingOrganization == names["quegou"] }.count == 3)
      #expect(members.allSatisfy { $0.organization == names["quegou"] }, "where they joined")
      #expect(try await harness.countsAgree())
      request.pageToken = ""
      request.pageSize = 0
      #expect(try await client.previewRerouting(request).reroutings.isEmpty)
    }
  }
}
