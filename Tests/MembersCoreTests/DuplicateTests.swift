import Foundation
import MembersV1
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("Possible duplicates", .timeLimit(.minutes(5)))
struct DuplicateTests {
  /// Creates two members with one phone: the older active in Quegou, the newer pooled.
  private func pair(
    _ harness: Harness, _ number: Int = 1
  ) async throws -> (older: String, newer: String) {
    let older = try await harness.submit(Applicant.application(number), as: .administrator)
    harness.clock.advance(days: 10)
    let newer = try await harness.submit(
      Applicant.application(100 + number) {
        $0.phone = Applicant.phone(number)
        $0.areas?.work = "340603"
      }, as: .administrator)
    return (older.member, newer.member)
  }

  @Test("a merge makes one membership of two, and its undo restores both")
  func mergedAndUndone() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (older, newer) = try await pair(harness)
      let before = try await harness.members()
      let clerk = Caller.staff(names["xiangshan"] ?? "", role: .clerk)
      let found = try await harness.duplicates(as: clerk)
      #expect(found.count == 1)
      #expect(Set([found[0].person?.member, found[0].other?.member]) == [older, newer])
      _ = try await harness.ask(names["drivers"] ?? "", as: .member(newer))
      let merged = try await harness.judge(found[0].name, survivor: newer, as: clerk)
      #expect(merged.state == .same)
      #expect(merged.survivor == newer)
      let one = try await harness.members()
      #expect(one.map(\.name) == [newer])
      #expect(one[0].joinDate == before.first { $0.name == older }?.joinDate, "the earlier one")
      // Resident ID, number and code of the merged record lead to the survivor.
      for change in Self.ways(to: try #require(before.first { $0.name == older })) {
        var request = ListMembersRequest()
        change(&request)
        let client = try harness.client(.administrator)
        #expect(try await client.listMembers(request).members.map(\.name) == [newer])
      }
      var code = GetMemberCodeRequest()
      code.name = older
      var resolve = ResolveMemberCodesRequest()
      resolve.codes = [try await harness.client(.administrator).getMemberCode(code).code]
      let stations = try harness.client(.service("stations"))
      #expect(try await stations.resolveMemberCodes(resolve).members.map(\.member) == [newer])
      let again = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(again.member == newer)
      #expect(try await harness.countsAgree())

      let told = try await harness.events(as: .service("stations")).last { $0.entity == older }
      guard case .membershipChanged(let change)? = told?.event else {
        throw Unexpected("nobody was told of the merge")
      }
      #expect(change.state == .merged)
      #expect(change.survivor == newer)
      let undone = try await harness.undo(merged.name, as: clerk)
      #expect(undone.state == .undone)
      #expect(undone.survivor.isEmpty)
      let after = try await harness.members()
      #expect(after.count == 2)
      for (one, other) in zip(before, after) {
        var one = one
        one.etag = other.etag
        #expect(one == other)
      }
      #expect(try await stations.resolveMemberCodes(resolve).members.map(\.member) == [older])
      #expect(
        try await harness.log(of: older, as: clerk).map(\.action) == [.joined, .merged, .unmerged])
      #expect(
        try await refusal { try await harness.undo(merged.name, as: clerk) } == "DUPLICATE_STATE")
      #expect(try await harness.transfers(as: .member(newer)).count == 1, "the survivor's goes on")
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  private static func ways(to member: Member) -> [(inout ListMembersRequest) -> Void] {
    [
      { $0.residentID = Applicant.residentID(1) }, { $0.memberNumber = member.memberNumber },
      { $0.memberNumber = "\(member.memberNumber.prefix(3)) \(member.memberNumber.dropFirst(3))" },
    ]
  }

  @Test("a pooled record that is merged leaves the pool, and returns to it after the undo")
  func pooled() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let (older, newer) = try await pair(harness)
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      #expect(try await harness.poolCases(as: .administrator).map(\.member) == [newer])
      _ = try await harness.judge(duplicate.name, survivor: older, as: .administrator)
      #expect(try await harness.poolCases(as: .administrator).isEmpty)
      _ = try await harness.undo(duplicate.name, as: .administrator)
      #expect(try await harness.poolCases(as: .administrator).map(\.member) == [newer])
      // Judged again, with the roles exchanged.
      let two = try await harness.judge(duplicate.name, survivor: "", as: .administrator)
      #expect(two.state == .distinct)
      #expect(try await harness.members().count == 2)
    }
  }

  @Test("only clerks whose scope has both records judge, and only mergeable records are merged")
  func refused() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (older, newer) = try await pair(harness)
      let duplicate = try await harness.duplicates(as: .administrator)[0]
      let near = Caller.staff(names["quegou"] ?? "", role: .clerk)
      #expect(try await harness.duplicates(as: near).isEmpty)
      #expect(
        try await refusal {
          try await harness.judge(duplicate.name, survivor: older, as: near)
        } == "DUPLICATE_NOT_FOUND")
      #expect(
        try await refusal {
          try await harness.judge(
            duplicate.name, survivor: "members/\(hexID(7))", as: .administrator)
        } == "INVALID_FIELDS survivor=NOT_A_PARTY")
      try await harness.end(newer, as: .left)
      #expect(
        try await refusal {
          try await harness.judge(duplicate.name, survivor: older, as: .administrator)
        } == "MEMBERSHIP_STATE")
    }
  }

  @Test("concurrent judgements over a chain of three do not contradict each other")
  func concurrent() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for number in 1...3 {
        _ = try await harness.submit(
          Applicant.application(number) { $0.phone = "13912345678" }, as: .administrator)
      }
      let found = try await harness.duplicates(as: .administrator)
      #expect(found.count == 2)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for turn in 0..<16 {
          let duplicate = found[turn % 2]
          let party = turn % 4 < 2 ? duplicate.person : duplicate.other
          group.addTask {
            _ = try await TransferTests.unless(
              ["DUPLICATE_STATE", "MEMBERSHIP_STATE", "MERGED_RECORDS"]
            ) {
              try await harness.judge(
                duplicate.name, survivor: party?.member ?? "", as: .administrator)
            }
          }
        }
        try await group.waitForAll()
      }
      // Every merged record is merged into a live one.
      let chained = try await harness.database.read(
        Query<Int>.one(
          """
          SELECT count(*) AS n FROM merges AS x JOIN memberships AS s ON s.id = x.survivor_id
          WHERE x.undone IS NULL AND s.state <> 1 AND s.state <> 2
          """
        ) { try $0.int("n") })
      #expect(chained == 0)
      let standing = try await harness.duplicates(as: .administrator) { $0.states = [.same] }
      #expect(try await harness.members().count == 3 - standing.count)
      for duplicate in standing {
        _ = try await harness.undo(duplicate.name, as: .administrator)
      }
      #expect(try await harness.members().count == 3)
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }
}

extension Harness {
  func duplicates(
    as caller: Caller, _ change: (inout ListDuplicatesRequest) -> Void = { _ in }
  ) async throws -> [Duplicate] {
    var request = ListDuplicatesRequest()
    request.pageSize = 1
    change(&request)
    var duplicates: [Duplicate] = []
    repeat {
      let page = try await client(caller).listDuplicates(request)
      duplicates += page.duplicates
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return duplicates
  }

  func judge(_ name: String, survivor: String, as caller: Caller) async throws -> Duplicate {
    var request = JudgeDuplicateRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.survivor = survivor
    request.reason = "电话核实"
    return try await client(caller).judgeDuplicate(request).duplicate ?? Duplicate()
  }

  func undo(_ name: String, as caller: Caller) async throws -> Duplicate {
    var request = UndoMergeRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.reason = "判断有误"
    return try await client(caller).undoMerge(request).duplicate ?? Duplicate()
  }
}
