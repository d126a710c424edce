import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Corrections and away reports of merged records")
struct MergedItemTests {
  /// Two members of Quegou with one phone number.
  private func pair(
    _ harness: Harness, _ number: Int = 1
  ) async throws -> (survivor: String, merged: String, duplicate: String) {
    var members: [String] = []
    for one in [number, 100 + number] {
      let application = Applicant.application(one) { $0.phone = Applicant.phone(number) }
      members.append(try await harness.submit(application, as: .administrator).member)
    }
    let duplicate = try await harness.duplicates(as: .administrator).first {
      $0.person?.member == members[1]
    }
    return (members[0], members[1], try #require(duplicate).name)
  }

  private static func phone(_ number: Int) -> CorrectedData {
    .with { $0.phone = Applicant.phone(9_000 + number) }
  }

  @Test("a merge cancels the open correction of the merged record, and the undo opens it again")
  func corrections() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let (survivor, merged, duplicate) = try await pair(harness)
      let kept = try await harness.correct(Self.phone(1), as: .member(survivor))
      let other = try await harness.correct(Self.phone(2), as: .member(merged))
      _ = try await harness.judge(duplicate, survivor: survivor, as: .administrator)
      #expect(try await harness.corrections(as: .administrator).map(\.name) == [kept.name])
      #expect(try await harness.events("correction.changed").map(\.version) == [1, 1, 2])
      #expect(
        try await refusal { try await harness.decide(other.name, accept: true) }
          == "CORRECTION_STATE")
      _ = try await harness.undo(duplicate, as: .administrator)
      let open = try await harness.corrections(as: .administrator)
      #expect(Set(open.map(\.name)) == [kept.name, other.name])
      #expect(try await harness.events("correction.changed").map(\.version) == [1, 1, 2, 3])
      #expect(
        try await refusal { try await harness.correct(Self.phone(3), as: .member(merged)) }
          == "CORRECTION_OPEN")
      #expect(try await harness.decide(other.name, accept: true).state == .accepted)
      #expect(try await harness.correct(Self.phone(3), as: .member(merged)).state == .requested)
    }
  }

  @Test("a merged record is not corrected, neither afterwards nor at the same moment")
  func besideMerges() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let (survivor, merged, duplicate) = try await pair(harness)
      // The request comes between the judgement's decision and its commit.
      let judging = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.correct(Self.phone(1), as: .member(merged))
        })
      _ = try await judging.judge(duplicate, survivor: survivor, as: .administrator)
      #expect(try await harness.corrections(as: .administrator).isEmpty)
      #expect(
        try await refusal { try await harness.correct(Self.phone(2), as: .member(merged)) }
          == "MEMBERSHIP_STATE")
      _ = try await harness.correct(Self.phone(2), as: .member(survivor))
      // And the other way round.
      let next = try await pair(harness, 2)
      let asking = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.judge(next.duplicate, survivor: next.survivor, as: .administrator)
        })
      #expect(
        try await refusal { try await asking.correct(Self.phone(3), as: .member(next.merged)) }
          == "MEMBERSHIP_STATE")
      #expect(try await harness.corrections(as: .administrator).map(\.member) == [survivor])
    }
  }

  @Test("an away report that a merge ended goes on after the undo, in the state that it had")
  func away() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (survivor, merged, duplicate) = try await pair(harness)
      let village = try harness.client(.staff(names["quegou"] ?? "", role: .clerk, id: 2))
      let county = try harness.client(.staff(names["xiangshan"] ?? "", role: .clerk, id: 3))
      let reported = try await village.reportAway(AwayTests.report(merged))
      let name = try #require(reported.report).name
      _ = try await county.reviewAwayReport(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, name) })
      let left = { (hasReturned: Bool, day: Int) in
        TrackAwayReportRequest.with {
          ($0.requestID, $0.name) = (UUID().uuidString, name)
          ($0.hasReturned, $0.date) = (hasReturned, .day(day))
        }
      }
      harness.clock.advance(days: 2)
      #expect(try await village.trackAwayReport(left(false, 20_780)).report?.state == .away)
      _ = try await harness.judge(duplicate, survivor: survivor, as: .administrator)
      #expect(try await county.listAwayReports(ListAwayReportsRequest()).reports.isEmpty)
      // The union of the merged record is dissolved, so that it returns to the pool.
      try await harness.dissolve(names["quegou-east"] ?? "")
      try await harness.dissolve(names["quegou"] ?? "", poolsMembers: true)
      _ = try await harness.undo(duplicate, as: .administrator)
      let open = try await county.listAwayReports(ListAwayReportsRequest()).reports
      #expect(open.map(\.name) == [name])
      #expect(open.map(\.state) == [.away])
      #expect(
        try await refusal { try await county.reportAway(AwayTests.report(merged)) }
          == "AWAY_REPORT_OPEN")
      #expect(try await harness.events("away_report.changed").map(\.version) == [1, 2, 3, 4, 5])
      #expect(try await county.trackAwayReport(left(true, 20_780)).report?.state == .returned)
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("a report made while the membership ends is ended with it")
  func reportedBeside() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let leaving = harness.replica(
        RacingDatabase(harness.database) {
          let client = try harness.client(.administrator)
          _ = try await client.reportAway(AwayTests.report(member))
        })
      #expect(try await leaving.leave("", as: .member(member)).state == .left)
      let client = try harness.client(.administrator)
      #expect(try await client.listAwayReports(ListAwayReportsRequest()).reports.isEmpty)
      #expect(try await harness.events("away_report.changed").map(\.version) == [1, 2])
    }
  }
}
