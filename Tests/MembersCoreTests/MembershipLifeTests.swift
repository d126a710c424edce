import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("The life of a membership")
struct MembershipLifeTests {
  @Test("retained, restored, left and revived: the log has each change, the counters follow")
  func life() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let clerk = Caller.staff(names["xiangshan"] ?? "", role: .clerk, id: 4)
      let retained = try await harness.retain(member, as: clerk)
      #expect(retained.state == .retained)
      var statistics = try await harness.client(clerk).getEnrollmentStatistics(
        GetEnrollmentStatisticsRequest())
      #expect(statistics.liveMembers == 0)
      #expect(statistics.retainedMembers == 1)
      #expect(try await harness.restore(member, as: clerk).state == .active)
      let me = Caller.member(member)
      #expect(try await harness.leave("", as: me).state == .left)
      #expect(try await refusal { try await harness.leave("", as: me) } == "MEMBERSHIP_STATE")
      _ = try await harness.submit(Applicant.application(1), as: .administrator)
      statistics = try await harness.client(clerk).getEnrollmentStatistics(
        GetEnrollmentStatisticsRequest())
      #expect(statistics.liveMembers == 1)

      let log = try await harness.log(of: member, as: clerk)
      #expect(log.map(\.action) == [.joined, .retained, .restored, .left, .revived])
      #expect(log.map(\.version) == [1, 2, 3, 4, 5])
      #expect(log.map(\.toState) == [.active, .retained, .active, .left, .active])
      #expect(log[1].retentionCause == .retired)
      #expect(log[1].actor == clerk.subject)
      #expect(log[3].actor == member)
      let own = try await harness.log(of: "", as: me)
      #expect(own.map(\.actor) == ["", "", "", member, ""])
      #expect(try await harness.countsAgree())
      harness.clock.advance(days: 1)
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
      #expect(try await harness.audit(action: "members.retain").count == 1)
      let events = try await harness.events(as: .service("stations"))
      #expect(events.filter { $0.entity == member }.map(\.entityVersion) == [1, 2, 3, 4, 5])
    }
  }

  @Test("an expelled or dead person is not a member, and nothing restores the membership")
  func ended() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .administrator).member
      let second = try await harness.submit(Applicant.application(2), as: .administrator).member
      try await harness.end(first, as: .expelled)
      try await harness.end(second, as: .deceased)
      for member in [first, second] {
        #expect(
          try await refusal { try await harness.restore(member, as: .administrator) }
            == "MEMBERSHIP_STATE")
        #expect(
          try await refusal { try await harness.leave("", as: .member(member)) }
            == "MEMBERSHIP_STATE")
      }
      #expect(try await harness.members().isEmpty)
      #expect(try await harness.countsAgree())
    }
  }

  @Test("only staff of the member's subtree, and the member, act for a member")
  func scope() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let far = Caller.staff(names["lieshan"] ?? "")
      let other = Caller.member("members/\(hexID(9))")
      for caller in [far, other] {
        #expect(
          try await refusal { try await harness.leave(member, as: caller) } == "MEMBER_NOT_FOUND")
        #expect(
          try await refusal { try await harness.log(of: member, as: caller) }
            == "MEMBER_NOT_FOUND")
      }
      #expect(
        try await refusal { try await harness.leave("", as: far, reason: "") }
          == "INVALID_FIELDS name=REQUIRED reason=REQUIRED")
      #expect(
        try await refusal {
          try await harness.retain(member, as: .administrator, cause: .unspecified)
        }
          == "INVALID_FIELDS cause=REQUIRED")
    }
  }

  @Test("an update changes the fields of its mask, and needs the current etag")
  func updated() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let enrollment = try await harness.submit(
        Applicant.application(1) {
          $0.platform = "某平台"
          $0.employerName = "某公司"
        }, as: .administrator)
      let client = try harness.client(.administrator)
      var request = UpdateMemberRequest()
      request.requestID = UUID().uuidString
      var changed = try await harness.members()[0]
      #expect(changed.details?.platform == "某平台")
      changed.group = .truckDriver
      var details = MemberDetails()
      details.employerName = "另一公司"
      details.vehiclePlate = "皖F12345"
      changed.details = details
      request.member = changed
      request.reason = "本人来函更正"
      request.updateMask = .with { $0.paths = ["group", "details.employer_name"] }
      let updated = try await client.updateMember(request)
      #expect(updated.membership?.group == .truckDriver)
      let after = try await harness.members()[0]
      #expect(after.details?.employerName == "另一公司")
      #expect(after.details?.platform == "某平台", "not in the mask")
      #expect(after.details?.vehiclePlate == "", "not in the mask")
      #expect(after.etag == updated.membership?.etag)
      #expect(try await client.updateMember(request) == updated, "a replay")
      request.requestID = UUID().uuidString
      #expect(try await refusal { try await client.updateMember(request) } == "ETAG_MISMATCH")
      request.member?.etag = ""
      request.updateMask = .with { $0.paths = ["state"] }
      #expect(
        try await refusal { try await client.updateMember(request) }
          == "INVALID_FIELDS member.etag=REQUIRED update_mask=INVALID_MASK")
      #expect(
        try await harness.log(of: enrollment.member, as: .administrator).last?.action == .updated)
      #expect(try await harness.countsAgree())
      let bytes = try await harness.storedBytes()
      for text in ["另一公司", "某平台"] {
        #expect(bytes.allSatisfy { $0.range(of: Data(text.utf8)) == nil }, "sealed")
      }
    }
  }

  @Test("of many concurrent ways to end a membership, each tried twice, one succeeds")
  func concurrentEnds() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for number in 1...3 {
        let member = try await harness.submit(Applicant.application(number), as: .administrator)
          .member
        let done = try await withThrowingTaskGroup(of: MembershipSummary?.self) { group in
          for turn in 0..<8 {
            let id = UUID().uuidString
            for _ in 0..<2 {
              group.addTask {
                do {
                  return turn % 2 == 0
                    ? try await harness.leave(member, as: .member(member), requestID: id)
                    : try await harness.expel(member, requestID: id)
                } catch let error as RPCError where error.message == "MEMBERSHIP_STATE" {
                  return nil
                }
              }
            }
          }
          return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
        }
        // The one that succeeded, and its retry.
        #expect(done.count == 2)
        #expect(Set(done).count == 1)
        #expect(try await harness.log(of: member, as: .administrator).count == 2)
      }
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("a recount finds a membership that is not the fold of its log")
  func fold() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      _ = try await harness.enroll((1...5).map { Applicant.application($0) })
      let wrong = try await harness.members()[2].name
      let id = String(wrong.dropFirst("members/".count))
      try await harness.database.write(
        Commit(
          at: harness.clock.now,
          statements: [
            Statement("UPDATE membership_log SET to_state = 4 WHERE member_id = ?1", [id])
          ]))
      let findings = try await harness.service.recount(report: UpkeepTests.quiet)
      #expect(
        findings == [
          "\(wrong): not the fold of its log, or an away report or a duplicate is elsewhere"
        ])
    }
  }
}

extension Caller {
  static func member(_ name: String) -> Caller { Caller(kind: .member, subject: name) }
}

extension Harness {
  func retain(
    _ member: String, as caller: Caller, cause: RetentionCause = .retired
  ) async throws -> MembershipSummary {
    var request = RetainMemberRequest()
    request.requestID = UUID().uuidString
    request.name = member
    request.cause = cause
    request.reason = "本人申请保留"
    return try await client(caller).retainMember(request).membership ?? MembershipSummary()
  }

  func restore(_ member: String, as caller: Caller) async throws -> MembershipSummary {
    var request = RestoreMemberRequest()
    request.requestID = UUID().uuidString
    request.name = member
    request.reason = "重新就业"
    return try await client(caller).restoreMember(request).membership ?? MembershipSummary()
  }

  func leave(
    _ member: String, as caller: Caller, requestID: String = UUID().uuidString,
    reason: String = "本人申请退会"
  ) async throws -> MembershipSummary {
    var request = LeaveUnionRequest()
    request.requestID = requestID
    request.name = member
    request.reason = reason
    return try await client(caller).leaveUnion(request).membership ?? MembershipSummary()
  }

  func expel(
    _ member: String, requestID: String = UUID().uuidString
  ) async throws -> MembershipSummary {
    var request = ExpelMemberRequest()
    request.requestID = requestID
    request.name = member
    request.reason = "严重违反章程"
    return try await client(.administrator).expelMember(request).membership ?? MembershipSummary()
  }

  func log(of member: String, as caller: Caller) async throws -> [MembershipLogRecord] {
    let client = try client(caller)
    var request = ListMembershipLogRequest()
    request.name = member
    request.pageSize = 2
    var entries: [MembershipLogRecord] = []
    repeat {
      let page = try await client.listMembershipLog(request)
      entries += page.entries
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return entries
  }

  /// Ends a membership.
  func end(_ member: String, as state: MembershipState) async throws {
    switch state {
    case .left: _ = try await leave(member, as: .administrator)
    case .expelled: _ = try await expel(member)
    case .deceased:
      var request = RecordDeathRequest()
      request.requestID = UUID().uuidString
      request.name = member
      request.reason = "家属告知"
      _ = try await client(.administrator).recordDeath(request)
    default: throw Unexpected("no RPC ends a membership as \(state)")
    }
  }
}
