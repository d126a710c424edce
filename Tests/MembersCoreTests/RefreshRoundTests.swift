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

  @Test("a round's numbers are those of its records, whatever is done at once")
  func counts() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for number in 1...8 {
        _ = try await harness.submit(Applicant.application(number), as: .administrator)
      }
      let client = try harness.client(.staff(names["quegou"] ?? "", role: .clerk))
      var open = OpenRefreshRoundRequest()
      (open.dueDate, open.allRecords) = (.day(20_800), true)
      var rounds: [String] = []
      for _ in 1...2 {
        open.requestID = UUID().uuidString
        rounds.append(try #require(try await client.openRefreshRound(open).round).name)
      }
      let members = try await harness.members().map(\.name)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for member in members[0..<4] {
          for round in rounds {
            group.addTask {
              // A record that is confirmed first is not marked any more.
              _ = try? await client.markUnreachable(
                .with {
                  ($0.requestID, $0.round, $0.member) = (UUID().uuidString, round, member)
                })
            }
          }
        }
        for member in members[2..<6] {
          group.addTask {
            _ = try await client.confirmMember(
              .with { ($0.requestID, $0.name) = (UUID().uuidString, member) })
          }
        }
        group.addTask { _ = try await harness.leave(members[6], as: .administrator) }
        try await group.waitForAll()
      }
      for name in rounds {
        let round = try #require(
          try await client.getRefreshRound(.with { $0.name = name }).round)
        let records = try await client.listRefreshRecords(
          .with { ($0.round, $0.states) = (name, [.stale, .confirmed, .unreachable, .ended]) }
        ).records
        let counted = Dictionary(grouping: records, by: \.state).mapValues { Int64($0.count) }
        #expect(counted == [.stale: 1, .confirmed: 4, .unreachable: 2, .ended: 1])
        #expect(round.staleRecords == 1)
        #expect(round.confirmedRecords == 4)
        #expect(round.unreachableRecords == 2)
        #expect(round.endedRecords == 1)
      }
    }
  }

  @Test("rounds of an older store are counted when it is upgraded", arguments: Engine.allCases)
  func upgraded(engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.with { database in
        let older = MembersMigrations.all.prefix { $0.name.prefix(4) < "0040" }
        try await database.migrate(Array(older))
        var commit = Commit(at: Date(timeIntervalSince1970: 0))
        commit.run(
          """
          INSERT INTO organizations (
            id, external_id, path, display_name, kind, level, region_code, occupation_groups,
            credit_code, employer_credit_codes, takes_individuals, state, version, created
          ) VALUES ('o', 'o', 'o', 'o', 1, 1, '340000', 0, '', '', 1, 1, 1, 1)
          """, [])
        commit.run("INSERT INTO refresh_rounds VALUES ('r', 'o', 1, 2, 0, 1, 1)", [])
        for (index, state) in [1, 1, 1, 2, 2, 3, 4, 4, 4, 4].enumerated() {
          commit.run(
            "INSERT INTO refresh_records VALUES ('r', ?1, ?2, 1)", ["m\(index)", Int64(state)])
        }
        try await database.write(commit)
        try await database.migrate(MembersMigrations.all)
        let round = try #require(try await database.read(RefreshStore.byID("r"))).round
        #expect(round.records == [.stale: 3, .confirmed: 2, .unreachable: 1, .ended: 4])
      }
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
