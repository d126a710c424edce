import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Running a refresh round")
struct RefreshRoundTests {
  @Test("rounds are listed, leavers end in them, and clerks see the phones they need, audited")
  func running() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for number in 1...3 {
        _ = try await harness.submit(Applicant.application(number), as: .administrator)
      }
      let client = try harness.client(.staff(names["quegou"] ?? "", role: .clerk))
      let far = try harness.client(.staff(names["lieshan"] ?? "", role: .clerk))
      var open = OpenRefreshRoundRequest()
      (open.requestID, open.dueDate, open.allRecords) = (UUID().uuidString, .day(20_800), true)
      let first = try #require(try await client.openRefreshRound(open).round)
      harness.clock.advance(days: 1)
      open.requestID = UUID().uuidString
      let second = try #require(try await client.openRefreshRound(open).round)
      var list = ListRefreshRoundsRequest()
      list.pageSize = 1
      let page = try await client.listRefreshRounds(list)
      list.pageToken = page.nextPageToken
      let rest = try await client.listRefreshRounds(list)
      #expect((page.rounds + rest.rounds).map(\.name) == [second.name, first.name])
      #expect(page.rounds[0].staleRecords == 3)
      #expect(rest.nextPageToken.isEmpty)
      #expect(try await far.listRefreshRounds(ListRefreshRoundsRequest()).rounds.isEmpty)
      let members = try await harness.members().map(\.name)
      var reveal = RevealRefreshRecordRequest()
      (reveal.round, reveal.member, reveal.reason) = (first.name, members[0], "电话核对信息")
      let shown = try await client.revealRefreshRecord(reveal)
      #expect(shown.phone.hasPrefix("+86138"))
      #expect(shown.personName.hasPrefix("张"))
      #expect(
        try await refusal { try await far.revealRefreshRecord(reveal) }
          == "REFRESH_ROUND_NOT_FOUND")
      reveal.reason = ""
      #expect(
        try await refusal { try await client.revealRefreshRecord(reveal) }
          .hasPrefix("INVALID_FIELDS reason="))
      reveal.reason = "电话核对信息"
      _ = try await client.confirmMember(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, members[0]) })
      #expect(
        try await refusal { try await client.revealRefreshRecord(reveal) } == "REFRESH_STATE")
      _ = try await harness.leave(members[1], as: .administrator)
      _ = try await client.confirmMember(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, members[2]) })
      let done = try await client.getRefreshRound(.with { $0.name = first.name }).round
      #expect(done?.staleRecords == 0)
      #expect(done?.endedRecords == 1)
      _ = try await client.closeRefreshRound(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, first.name) })
      list = ListRefreshRoundsRequest()
      #expect(try await client.listRefreshRounds(list).rounds.map(\.name) == [second.name])
      list.includeClosed = true
      #expect(try await client.listRefreshRounds(list).rounds.count == 2)
    }
  }

  @Test("a record is not marked in a round that is closed meanwhile")
  func closingBeside() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.submit(Applicant.application(1), as: .administrator)
      let clerk = Caller.staff(names["quegou"] ?? "", role: .clerk)
      var open = OpenRefreshRoundRequest()
      (open.requestID, open.dueDate, open.allRecords) = (UUID().uuidString, .day(20_800), true)
      let opened = try await harness.client(clerk).openRefreshRound(open)
      let round = try #require(opened.round).name
      // The closing comes between the decision and its commit.
      let racing = harness.replica(
        RacingDatabase(harness.database) {
          _ = try await harness.client(clerk).closeRefreshRound(
            .with { ($0.requestID, $0.name) = (UUID().uuidString, round) })
        })
      var mark = MarkUnreachableRequest()
      (mark.requestID, mark.round) = (UUID().uuidString, round)
      mark.member = try await harness.members()[0].name
      #expect(
        try await refusal { try await racing.client(clerk).markUnreachable(mark) }
          == "REFRESH_STATE")
    }
  }

  @Test("a retried opening gets the first reply, whatever became of the round since")
  func retried() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      _ = try await harness.submit(Applicant.application(2), as: .administrator)
      let client = try harness.client(.staff(names["quegou"] ?? "", role: .clerk))
      var open = OpenRefreshRoundRequest()
      (open.requestID, open.dueDate, open.allRecords) = (UUID().uuidString, .day(20_800), true)
      let first = try await client.openRefreshRound(open)
      #expect(first.round?.staleRecords == 2)
      _ = try await client.confirmMember(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, member) })
      #expect(try await client.openRefreshRound(open) == first)
      _ = try await client.closeRefreshRound(
        .with { ($0.requestID, $0.name) = (UUID().uuidString, first.round?.name ?? "") })
      #expect(try await client.openRefreshRound(open) == first)
      open.allRecords = false
      #expect(
        try await refusal { try await client.openRefreshRound(open) } == "REQUEST_ID_REUSED")
    }
  }

  @Test("a member reads their own honors, in a list and with their membership")
  func honors() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let other = try await harness.submit(Applicant.application(2), as: .administrator).member
      let contests = try harness.client(.service("contests"))
      let honor = Honor.with {
        $0.member = member
        $0.sourceEvent = "titles/1/confirmed"
        $0.title = "淮北市技术能手"
        $0.date = .day(20_000)
      }
      _ = try await contests.recordHonor(.with { $0.honor = honor })
      let own = try harness.client(.member(member))
      #expect(try await own.listHonors(ListHonorsRequest()).honors == [honor])
      #expect(try await own.getMyMembership(GetMyMembershipRequest()).honors == [honor])
      #expect(
        try await refusal {
          try await harness.client(.member(other)).listHonors(.with { $0.member = member })
        } == "MEMBER_NOT_FOUND")
    }
  }
}
