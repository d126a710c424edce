import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Records that are merged, and what leads to them", .timeLimit(.minutes(5)))
struct MergedRecordTests {
  /// A record into which two others of the same person were merged one after the other.
  private struct Merged {
    let survivor: String
    /// The judgement that merged the record that joined five days before the survivor.
    let first: String
    /// The judgement that merged the record that joined seven days before.
    let second: String
    /// Day on which the last of the two joined.
    let day: Int
  }

  private static func day(_ member: String, in harness: Harness) async throws -> Int {
    var get = GetMemberRequest()
    get.name = member
    let date = try await harness.client(.administrator).getMember(get).member?.joinDate
    var checks = FieldChecks()
    let day = checks.day(date, "join_date")
    return try #require(day)
  }

  private static func merged(_ number: Int, in harness: Harness) async throws -> Merged {
    let phone = Applicant.phone(1_000 + number)
    let oldest = try await harness.submit(
      Applicant.application(1_000 + number), as: .administrator
    ).member
    harness.clock.advance(days: 2)
    let older = try await harness.submit(
      Applicant.application(number) { $0.personName = "张同名" }, as: .administrator
    ).member
    harness.clock.advance(days: 5)
    // Birth dates repeat after 5,000 persons.
    let survivor = try await harness.submit(
      Applicant.application(5_000 + number) {
        $0.personName = "张同名"
        $0.phone = phone
      }, as: .administrator
    ).member
    let day = try await Self.day(survivor, in: harness)
    var names: [String] = []
    for other in [older, oldest] {
      let duplicate = try #require(
        try await harness.duplicates(as: .administrator).first {
          Set([$0.person?.member, $0.other?.member]) == [survivor, other]
        })
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      names.append(duplicate.name)
    }
    return Merged(survivor: survivor, first: names[0], second: names[1], day: day)
  }

  @Test(
    "whichever merge is undone first, the join date is the earliest of the records still merged")
  func joinDays() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for (number, leaves) in [(1, false), (2, true)] {
        let merged = try await Self.merged(number, in: harness)
        if leaves { _ = try await harness.leave("", as: .member(merged.survivor)) }
        #expect(try await Self.day(merged.survivor, in: harness) == merged.day - 7)
        _ = try await harness.undo(merged.first, as: .administrator)
        #expect(try await Self.day(merged.survivor, in: harness) == merged.day - 7)
        _ = try await harness.undo(merged.second, as: .administrator)
        #expect(try await Self.day(merged.survivor, in: harness) == merged.day)
      }
      for (number, leaves) in [(3, false), (4, true)] {
        let merged = try await Self.merged(number, in: harness)
        if leaves { _ = try await harness.leave("", as: .member(merged.survivor)) }
        let racing = harness.replica(
          RacingDatabase(harness.database) {
            _ = try await harness.undo(merged.second, as: .administrator)
          })
        _ = try await racing.undo(merged.first, as: .administrator)
        #expect(try await Self.day(merged.survivor, in: harness) == merged.day, "at once")
      }
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("a person erased during an undo of a merge, or an away report, stays erased")
  func erasedBeside() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let survivor = try await harness.submit(Applicant.application(1), as: .administrator).member
      _ = try await harness.submit(
        Applicant.application(2) { $0.phone = Applicant.phone(1) }, as: .administrator)
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      let undoing = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.erase("", as: .member(survivor))
        })
      #expect(
        try await refusal { try await undoing.undo(duplicate.name, as: .administrator) }
          == "DUPLICATE_STATE")
      #expect(try await harness.members().isEmpty)
      let driver = try await harness.submit(Applicant.application(3), as: .administrator).member
      let reporting = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.erase("", as: .member(driver))
        })
      #expect(
        try await refusal {
          try await reporting.client(.member(driver)).reportAway(AwayTests.report(driver))
        } == "MEMBER_NOT_FOUND")
      #expect(try await harness.countsAgree())
    }
  }

  @Test("the away report of a merged record ends until the undo, that of the survivor stays")
  func away() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let client = try harness.client(.administrator)
      var reports: [String] = []
      var members: [String] = []
      for number in 1...2 {
        let application = Applicant.application(number) { $0.phone = Applicant.phone(1) }
        members.append(try await harness.submit(application, as: .administrator).member)
        let made = try await client.reportAway(AwayTests.report(members[number - 1]))
        reports.append(made.report?.name ?? "")
      }
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: members[0], as: .administrator)
      let listed = { (states: [AwayState]) in
        try await client.listAwayReports(.with { $0.states = states }).reports.map(\.name)
      }
      #expect(try await listed([]) == [reports[0]])
      #expect(try await listed([.ended]) == [reports[1]])
      #expect(try await harness.events("away_report.changed").map(\.version) == [1, 1, 2])
      _ = try await harness.undo(duplicate.name, as: .administrator)
      #expect(Set(try await listed([])) == Set(reports))
      #expect(try await harness.events("away_report.changed").map(\.version) == [1, 1, 2, 3])
      #expect(
        try await refusal { try await client.reportAway(AwayTests.report(members[1])) }
          == "AWAY_REPORT_OPEN")
    }
  }

  @Test("a record whose union was dissolved while it was merged returns to the pool")
  func dissolvedMeanwhile() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let survivor = try await harness.submit(Applicant.application(1), as: .administrator).member
      let merged = try await harness.submit(
        Applicant.application(2) {
          $0.phone = Applicant.phone(1)
          $0.areas?.work = "340603100201"
        }, as: .administrator
      ).member
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      try await harness.dissolve(names["quegou-east"] ?? "")
      #expect(try await harness.undo(duplicate.name, as: .administrator).state == .undone)
      let back = try await harness.members().first { $0.name == merged }
      #expect(back?.state == .pooled)
      #expect(back?.managingOrganization == names["xiangshan-pool"])
      #expect(try await harness.poolCases(as: .administrator).map(\.member) == [merged])
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("phone, outreach and honors of a merged record lead to the survivor")
  func ledThrough() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let chief = Caller.staff(names["xiangshan"] ?? "")
      let older = Applicant.application(1) { $0.personName = "张同名" }
      let newer = Applicant.application(5_001) { $0.personName = "张同名" }
      let list = try await harness.makeList(as: chief)
      var row = RosterRow()
      (row.row, row.residentID, row.personName) = (1, newer.residentID, newer.personName)
      #expect(try await harness.fill(list, [row], as: chief) == 1)
      let survivor = try await harness.submit(older, as: .administrator).member
      let merged = try await harness.submit(newer, as: .administrator).member
      var honor = RecordHonorRequest()
      honor.honor = .with {
        ($0.member, $0.sourceEvent, $0.title, $0.date) = (merged, "titles/1", "技术能手", .day(20_700))
      }
      _ = try await harness.client(.service("contests")).recordHonor(honor)
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: survivor, as: .administrator)
      var find = FindPhoneMembersRequest()
      find.phone = newer.phone
      #expect(
        try await harness.client(.service("gateway")).findPhoneMembers(find).members.map(\.member)
          == [survivor])
      #expect(try await harness.entries(list, [.joined], as: chief).count == 1)
      var honors = ListHonorsRequest()
      honors.member = survivor
      #expect(
        try await harness.client(.administrator).listHonors(honors).honors.map(\.title)
          == ["技术能手"])
    }
  }
}
