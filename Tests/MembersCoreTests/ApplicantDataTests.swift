import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Data of who never became a member, and of merged records", .timeLimit(.minutes(5)))
struct ApplicantDataTests {
  @Test("the data of a person who only applied are exported and erased by an application")
  func applicant() async throws {
    try await Harness.run(ReviewTests.configuration) { harness in
      let names = try await harness.plantTree()
      let waiting = try await harness.submit(Applicant.application(1), as: .administrator)
      let again = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect([waiting.state, again.state] == [.pending, .held])
      let far = Caller.staff(names["lieshan"] ?? "")
      #expect(
        try await refusal { try await harness.export(waiting.name, as: far, reason: "本人要求") }
          == "ENROLLMENT_NOT_FOUND")
      let parts = try await harness.export(waiting.name, as: .administrator, reason: "本人要求")
      guard case .record(let record)? = parts.first?.part else { throw Unexpected("no record") }
      #expect(record.residentID == Applicant.residentID(1))
      #expect(record.membership == nil)
      #expect(parts.count == 3, "both applications")
      #expect(
        try await refusal { try await harness.erase(again.name, as: far, reason: "本人要求") }
          == "ENROLLMENT_NOT_FOUND")
      let id = UUID().uuidString
      for _ in 0..<2 {
        _ = try await harness.erase(
          again.name, as: .administrator, requestID: id, reason: "本人要求")
      }
      let events = try await harness.events("enrollment.changed")
      #expect(events.map(\.version) == [1, 1, 2, 2])
      #expect(Set(events.suffix(2).map(\.entity)) == [waiting.name, again.name])
      #expect(
        Set(try events.map { try EnrollmentChanged(wireBytes: $0.payload).state })
          == [.pending, .held, .withdrawn])
      for call in [
        { try await harness.export(waiting.name, as: .administrator, reason: "本人要求").count },
        {
          try await harness.approve(waiting, as: .administrator).name.count
        },
      ] as [() async throws -> Int] {
        let told = try await refusal { try await call() }
        #expect(["ENROLLMENT_NOT_FOUND", "ENROLLMENT_NOT_WAITING"].contains(told))
      }
      let kept = try await harness.database.read(
        Query<Int>.one(
          """
          SELECT (SELECT count(*) FROM person_hashes) + (SELECT count(*) FROM open_enrollments)
            + (SELECT count(*) FROM persons WHERE wrapped_key IS NOT NULL)
            + (SELECT count(*) FROM enrollments WHERE length(application) > 0) AS n
          """
        ) { try $0.int("n") })
      #expect(kept == 0)
      let anew = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(anew.state == .pending, "somebody new")
    }
  }

  @Test(
    "a person who becomes a member while the application is erased is a member, with their data")
  func approvedMeanwhile() async throws {
    try await Harness.run(ReviewTests.configuration) { harness in
      _ = try await harness.plantTree()
      let waiting = try await harness.submit(Applicant.application(1), as: .administrator)
      let racing = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.approve(waiting, as: .administrator)
        })
      #expect(
        try await refusal {
          try await racing.erase(waiting.name, as: .administrator, reason: "本人要求")
        } == "INVALID_FIELDS name=IS_MEMBER")
      let members = try await harness.members()
      #expect(members.map(\.phoneMasked) == ["138****0001"])
    }
  }

  @Test("an export includes the records merged into the member's, each separately")
  func merged() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      _ = try await harness.submit(
        Applicant.application(2) { $0.phone = Applicant.phone(1) }, as: .administrator)
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      _ = try await harness.judge(duplicate.name, survivor: member, as: .administrator)
      let parts = try await harness.export("", as: .member(member))
      let words = parts.compactMap { part in
        switch part.part {
        case .record(let one): "record \(one.residentID)"
        case .application(let one): "application \(one.application?.residentID ?? "")"
        case .log(let entry): "log \(entry.action)"
        default: nil as String?
        }
      }
      let (own, other) = (Applicant.residentID(1), Applicant.residentID(2))
      #expect(
        words == [
          "record \(own)", "application \(own)", "log \(MembershipAction.joined)",
          "log \(MembershipAction.updated)", "record \(other)", "application \(other)",
          "log \(MembershipAction.joined)", "log \(MembershipAction.merged)",
        ])
    }
  }

  @Test("a correction to another person's data opens a possible duplicate, once for two persons")
  func lookAlike() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let one = try await harness.submit(Applicant.application(1), as: .administrator).member
      let other = try await harness.submit(Applicant.application(2), as: .administrator).member
      for (turn, phone) in [1, 3, 1].map(Applicant.phone).enumerated() {
        var data = CorrectedData()
        data.phone = phone
        let asked = try await harness.correct(data, as: .member(other))
        #expect(try await harness.decide(asked.name, accept: true).state == .accepted)
        let found = try await harness.duplicates(as: .administrator)
        #expect(found.count == (turn == 0 ? 1 : 0))
        for duplicate in found {
          #expect(duplicate.kind == .phone)
          #expect(Set([duplicate.person?.member, duplicate.other?.member]) == [one, other])
          _ = try await harness.judge(duplicate.name, survivor: "", as: .administrator)
        }
      }
    }
  }
}
