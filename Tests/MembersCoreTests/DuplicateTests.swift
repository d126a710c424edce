import Foundation
import MembersV1
import RPC
import ServiceKit
import Storage
import TestStores
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

  @Test("concurrent judgements over all pairs of three do not contradict each other")
  func concurrent() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for number in 1...3 {
        _ = try await harness.submit(
          Applicant.application(number) { $0.phone = "13912345678" }, as: .administrator)
      }
      let found = try await harness.duplicates(as: .administrator)
      #expect(found.count == 3)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for turn in 0..<18 {
          let duplicate = found[turn % 3]
          let party = turn % 6 < 3 ? duplicate.person : duplicate.other
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

extension DuplicateTests {
  @Test("a duplicate is found by the organization of its first person, wherever they are managed")
  func followed() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340604", rules: .poolFirst, approveFirst: true)
    ]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      /// Returns the organizations that lead to the only duplicate, which both plans find.
      func place() async throws -> String? {
        let range = PathRange(subtreeOf: "")
        let start = try ListPlace(nil)
        let (ordered, led) = try await harness.database.read(
          DuplicateStore.page(
            of: range, states: [.open], by: .rows, before: nil, after: start, limit: 5),
          DuplicateStore.page(
            of: range, states: [.open], by: .organizations, before: nil, after: start, limit: 5))
        #expect(ordered == led && led.count == 1)
        let path = try #require(led.first).paths[0]
        return names.first { $0.value.suffix(32) == path.suffix(32) }?.key
      }
      _ = try await harness.submit(Applicant.application(1), as: .administrator)
      harness.clock.advance(days: 1)
      // Refused in one county, then admitted in another one.
      let waiting = try await harness.submit(
        Applicant.application(2) {
          $0.phone = Applicant.phone(1)
          $0.areas?.work = "340604"
        }, as: .administrator)
      #expect(waiting.state == .pending)
      #expect(try await place() == "huaibei-pool")
      _ = try await harness.refuse(waiting, as: .administrator)
      let member = try await harness.submit(
        Applicant.application(2) {
          $0.phone = Applicant.phone(1)
          $0.areas?.work = "340603100201"
        }, as: .administrator
      ).member
      #expect(try await place() == "quegou-east")
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
      _ = try await harness.dissolve(names["quegou-east"] ?? "", poolsMembers: true)
      #expect(try await place() == "xiangshan-pool")
      let poolCase = try await harness.poolCases(as: .administrator)[0]
      #expect(poolCase.member == member)
      _ = try await harness.assign(
        poolCase.name, to: names["quegou"] ?? "", as: .administrator)
      _ = try await harness.confirm(poolCase.name, as: .administrator)
      #expect(try await place() == "quegou")
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
      var commit = Commit(at: harness.clock.now)
      commit.run(
        "UPDATE duplicate_cases SET organization_id = ?1",
        [String((names["lieshan"] ?? "").suffix(32))])
      try await harness.database.write(commit)
      #expect(
        try await harness.service.recount(report: UpkeepTests.quiet)
          == ["\(member): not the fold of its log, or an away report or a duplicate is elsewhere"])
    }
  }
}

extension DuplicateTests {
  @Test("duplicates stored before they had an organization get it", arguments: Engine.allCases)
  func migrated(_ engine: Engine) async throws {
    let older = MembersMigrations.all.prefix { $0.name != MembersMigrations.rareRows.name }
    try await engine.withStore { store in
      try await store.with { database in
        try await database.migrate(Array(older))
        var commit = Commit(at: .init(timeIntervalSince1970: 0))
        let (union, office, member, applicant) = (hexID(1), hexID(2), hexID(3), hexID(4))
        for id in [union, office] {
          commit.run(
            """
            INSERT INTO organizations (
              id, external_id, path, display_name, kind, level, region_code, occupation_groups,
              credit_code, employer_credit_codes, takes_individuals, state, version, created
            ) VALUES (?1, ?1, ?1, '工会', 5, 6, '340603', 0, '', '', 0, 2, 1, 1)
            """, [id])
        }
        let none: [UInt8] = []
        for id in [member, applicant] {
          commit.run(
            """
            INSERT INTO persons (
              id, hash_key, wrapped_key, person_name, resident_id, phone, created
            ) VALUES (?1, 1, ?2, ?2, ?2, ?2, 1)
            """, [id, none])
        }
        commit.run(
          """
          INSERT INTO memberships (
            id, member_number, state, organization_id, managing_organization_id, occupation_group,
            channel, campaign, join_day, code, code_sha256, version, created
          ) VALUES (?1, '1', 2, ?2, ?2, 1, 1, '', 1, ?3, ?3, 1, 1)
          """, [member, union, none])
        commit.run(
          """
          INSERT INTO enrollments (
            id, caller, state, person_id, organization_id, route, route_reason_zh, route_reason_en,
            occupation_group, channel, campaign, consent_version, consented, application, version,
            created
          ) VALUES (?1, '', 3, ?1, ?2, 1, '', '', 1, 1, '', '', 1, ?3, 1, 1)
          """, [applicant, office, none])
        for (first, other) in [(member, applicant), (applicant, member)] {
          commit.run(
            """
            INSERT INTO duplicate_cases (
              id, kind, person_id, other_person_id, enrollment_id, state, created
            ) VALUES (?1, 'PHONE', ?1, ?2, ?3, 'OPEN', 1)
            """, [first, other, applicant])
        }
        try await database.write(commit)
        try await database.migrate(MembersMigrations.all)
        let places = try await database.read(
          Query<[String]>.all("SELECT id, organization_id FROM duplicate_cases ORDER BY id") {
            try $0.text("organization_id")
          })
        #expect(places == [union, office])
      }
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
