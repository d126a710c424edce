import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Testing

@testable import MembersCore

@Suite("A request id makes a write happen once")
struct ReplayTests {
  @Test("the same request returns the same bytes, whatever happened in between")
  func sameReply() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let id = UUID().uuidString
      let first = try await harness.submit(
        Applicant.application(1), as: .administrator, requestID: id)
      try await harness.end(first.member, as: .expelled)
      harness.clock.advance(days: 3)
      let again = try await harness.submit(
        Applicant.application(1), as: .administrator, requestID: id.lowercased())
      #expect(try first.wireBytes() == again.wireBytes())

      var issue = IssueOrganizationCodeRequest()
      issue.requestID = UUID().uuidString
      issue.organization = names["quegou"] ?? ""
      let client = try harness.client(.administrator)
      let code = try await client.issueOrganizationCode(issue)
      var revoke = RevokeOrganizationCodeRequest()
      revoke.requestID = UUID().uuidString
      revoke.name = code.code?.name ?? ""
      let revoked = try await client.revokeOrganizationCode(revoke)
      harness.clock.advance(days: 1)
      #expect(try await client.issueOrganizationCode(issue) == code)
      #expect(try await client.revokeOrganizationCode(revoke) == revoked)
    }
  }

  @Test("another payload is REQUEST_ID_REUSED, and a refusal is not recorded")
  func otherPayload() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let id = UUID().uuidString
      _ = try await harness.submit(Applicant.application(1), requestID: id)
      #expect(
        try await refusal {
          try await harness.submit(Applicant.application(2), requestID: id)
        } == "REQUEST_ID_REUSED")
      let other = UUID().uuidString
      let nowhere = Applicant.application(3) { $0.areas?.work = "110101" }
      _ = try await refusal { try await harness.submit(nowhere, requestID: other) }
      _ = try await harness.submit(Applicant.application(3), requestID: other)
      #expect(try await harness.members().count == 2)
    }
  }

  @Test("one request sent 32 times at once is one enrollment")
  func concurrentReplays() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let id = UUID().uuidString
      let replies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
        for _ in 0..<32 {
          group.addTask {
            try await harness.submit(Applicant.application(1), requestID: id).wireBytes()
          }
        }
        var all: Set<[UInt8]> = []
        for try await reply in group { all.insert(reply) }
        return all
      }
      #expect(replies.count == 1)
      let count = try await harness.database.read(
        Query<Int>.one("SELECT count(*) AS n FROM enrollments") { try $0.int("n") })
      #expect(count == 1)
    }
  }

  @Test("request ids are purged after 30 days, events after their retention, none before")
  func forgotten() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      #expect(names.count == Tree.rows.count)
      let clock = harness.clock
      let enrollment = try await harness.submit(Applicant.application(1))
      let housekeeping = Housekeeping(
        database: harness.database, upkeep: harness.service, clock: Clock { clock.now },
        feedRetentionDays: 40)
      /// Purges as if no more than a day had passed.
      func forget(days: Int) async throws -> (requests: Int, events: Int) {
        var sum = (requests: 0, events: 0)
        for _ in 0..<days {
          clock.advance(days: 1)
          let forgotten = try await housekeeping.forget()
          sum = (sum.requests + forgotten.requests, sum.events + forgotten.events)
        }
        return sum
      }
      #expect(try await forget(days: 29) == (0, 0))
      #expect(try await forget(days: 2) == (Tree.rows.count + 1, 0))
      // The enrollment is purged; the last events of each organization and the member stay.
      #expect(try await forget(days: 10) == (0, 1))
      let entities = try await harness.database.feed(after: .start).map(\.entity)
      #expect(entities.count == Tree.rows.count + 1)
      #expect(Set(entities).isSuperset(of: names.values))
      #expect(!entities.contains(enrollment.name))
    }
  }
}
