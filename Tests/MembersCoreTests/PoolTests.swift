import Foundation
import GoogleType
import MembersV1
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("The holding pool", .timeLimit(.minutes(5)))
struct PoolTests {
  /// Returns an applicant who works in a county that has nothing but its pool.
  static func pooled(_ number: Int) -> EnrollmentApplication {
    Applicant.application(number) { $0.areas?.work = "340603" }
  }

  @Test("two pools of one region have their own custodians, also when read together")
  func custodians() async throws {
    try await Harness.run { harness in
      let id = String(try await harness.plantTree()["xiangshan-pool", default: ""].suffix(32))
      guard let pool = try await harness.database.read(OrganizationStore.byID(id)) else {
        throw Unexpected("the tree has no pool")
      }
      var other = pool
      other.parentID = String(repeating: "f", count: 32)
      let asked = [pool, other].map { pool in
        { @Sendable () -> Step<String> in
          .phase([AnyQuery(PoolCaseStore.terms(of: pool))]) { results in
            .reply(results.value(0, of: PoolCaseStore.terms(of: pool)).custodianID)
          }
        }
      }
      let custodians = try await harness.database.write { Step.together(asked) }
      #expect(try custodians.map { try $0.get() } == [pool.parentID, other.parentID])
    }
  }

  @Test("a pooled member has a case, which a union confirms or returns")
  func life() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let county = Caller.staff(names["xiangshan"] ?? "", role: .clerk)
      let union = Caller.staff(names["quegou"] ?? "", role: .clerk, id: 2)
      let enrollment = try await harness.submit(Self.pooled(1), as: .administrator)
      let opened = try await harness.poolCases(as: county)[0]
      #expect(opened.member == enrollment.member)
      #expect(opened.pool == names["xiangshan-pool"])
      #expect(opened.custodian == names["xiangshan"])
      #expect(opened.dueDate == .day(ChinaDate(year: 2026, month: 12, day: 6)?.daysSinceEpoch ?? 0))
      #expect(try await harness.poolCases(as: union).isEmpty)
      #expect(
        try await refusal { try await harness.confirm(opened.name, as: county) }
          == "POOL_CASE_STATE")
      #expect(
        try await refusal {
          try await harness.assign(opened.name, to: names["anhui"] ?? "", as: county)
        } == "NO_INDIVIDUAL_MEMBERS")
      let assigned = try await harness.assign(opened.name, to: names["quegou"] ?? "", as: county)
      #expect(assigned.state == .assigned)
      #expect(assigned.etag != opened.etag)
      #expect(
        try await harness.poolCases(as: union) { $0.receiver = names["quegou"] ?? "" }
          == [assigned])
      let returned = try await harness.giveBack(opened.name, as: union)
      #expect(returned.state == .waiting)
      #expect(returned.returns == 1)
      #expect(returned.receiver.isEmpty)
      #expect(
        try await refusal { try await harness.giveBack(opened.name, as: union) }
          == "POOL_CASE_NOT_FOUND", "it has nothing to do with it any more")
      _ = try await harness.assign(opened.name, to: names["quegou"] ?? "", as: county)
      let confirmed = try await harness.confirm(opened.name, as: union)
      #expect(confirmed.poolCase?.state == .confirmed)
      #expect(confirmed.membership?.state == .active)
      #expect(confirmed.membership?.managingOrganization == names["quegou"])
      #expect(confirmed.membership?.organization == names["xiangshan-pool"], "where they joined")
      #expect(try await harness.poolCases(as: county).isEmpty)
      #expect(
        try await harness.log(of: enrollment.member, as: county).map(\.action)
          == [.joined, .placed])
      let events = try await harness.events(as: .service("stations"))
      #expect(events.filter { $0.entity == opened.name }.map(\.entityVersion) == [1, 2, 3, 4, 5])
      #expect(
        try await harness.caseLog() == ["OPENED", "ASSIGNED", "RETURNED", "ASSIGNED", "CONFIRMED"])
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("concurrent dispatches assign a case once, and place every member once")
  func dispatchedOnce() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...6).map { Self.pooled($0) })
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.count == 6)
      let unions = [names["quegou"] ?? "", names["quegou-east"] ?? "", names["drivers"] ?? ""]
      let won = try await withThrowingTaskGroup(of: PoolCase?.self) { group in
        for turn in 0..<(6 * cases.count) {
          let id = UUID().uuidString
          for _ in 0..<2 {  // Each with a retry.
            group.addTask {
              do {
                return try await harness.assign(
                  cases[turn % cases.count].name, to: unions[turn % 3], as: .administrator,
                  requestID: id)
              } catch let error as RPCError where error.message == "POOL_CASE_STATE" {
                return nil
              }
            }
          }
        }
        return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
      }
      #expect(won.count == 12, "six, each with its retry")
      #expect(Set(won).count == 6)
      // The receiver confirms while the member leaves: one of the two happens, never half of each.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for assigned in Set(won) {
          group.addTask {
            do {
              _ = try await harness.confirm(assigned.name, as: .administrator)
            } catch let error as RPCError where error.message == "POOL_CASE_STATE" {}
          }
          group.addTask { _ = try await harness.leave("", as: .member(assigned.member)) }
        }
        try await group.waitForAll()
      }
      #expect(try await harness.poolCases(as: .administrator).isEmpty)
      #expect(try await harness.members().isEmpty)
      #expect(try await harness.countsAgree())
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("many cases are dispatched in a stream, with a result per row")
  func dispatched() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...20).map { Self.pooled($0) })
      let cases = try await harness.poolCases(as: .administrator)
      let rows = (cases + [cases[0]]).enumerated().map { index, poolCase in
        var row = DispatchPoolCasesRequest()
        row.requestID = UUID().uuidString
        row.row = Int64(index)
        row.name = poolCase.name
        row.receiver = names["quegou"] ?? ""
        return row
      }
      let call = try await harness.client(.administrator).dispatchPoolCases()
      async let sending: Void = {
        for row in rows { try await call.send(row) }
        try await call.finishSending()
      }()
      var results: [DispatchPoolCasesResponse] = []
      for try await result in call.responses { results.append(result) }
      try await sending
      #expect(results.map(\.row) == rows.map(\.row))
      for result in results.dropLast() {
        guard case .poolCase(let assigned)? = result.result else {
          throw Unexpected("a row was refused: \(result)")
        }
        #expect(assigned.state == .assigned)
      }
      guard case .error(let error)? = results.last?.result else {
        throw Unexpected("the case was dispatched twice")
      }
      #expect(error.reason == "POOL_CASE_STATE")
    }
  }

  @Test("a dry run of a dispatch decides each row by the cases as they are, and stores nothing")
  func tried() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...2).map { Self.pooled($0) })
      let cases = try await harness.poolCases(as: .administrator)
      _ = try await harness.assign(
        cases[1].name, to: names["quegou"] ?? "", as: .administrator)
      let before = try await harness.poolCases(as: .administrator)
      let call = try await harness.client(.administrator).dispatchPoolCases()
      for (index, receiver) in [(0, "quegou"), (0, "quegou-east"), (0, "anhui"), (1, "quegou")] {
        var row = DispatchPoolCasesRequest()
        (row.name, row.receiver) = (cases[index].name, names[receiver] ?? "")
        row.validateOnly = true
        try await call.send(row)
      }
      try await call.finishSending()
      var words: [String] = []
      for try await result in call.responses {
        switch result.result {
        case .poolCase(let tried):
          #expect(tried.state == .assigned && tried.etag.isEmpty)
          words.append(tried.receiver)
        case .error(let error): words.append(error.reason)
        case nil: words.append("")
        }
      }
      #expect(
        words == [
          names["quegou"] ?? "", names["quegou-east"] ?? "", "NO_INDIVIDUAL_MEMBERS",
          "POOL_CASE_STATE",
        ])
      #expect(try await harness.poolCases(as: .administrator) == before)
      #expect(try await harness.caseLog() == ["OPENED", "OPENED", "ASSIGNED"])
      #expect(try await harness.audit(action: "poolCases.assign").count == 1)
    }
  }

  @Test("from the day after its due day a case is escalated one level, once, with a new due day")
  func escalated() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340603", poolDays: 5, poolCustodian: "quegou")
    ]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll((1...3).map { Self.pooled($0) })
      var custodians: [String] = []
      for _ in 0..<6 {
        let cases = try await harness.poolCases(as: .administrator)
        #expect(Set(cases.map(\.custodian)).count == 1)
        custodians.append(cases[0].custodian)
        harness.clock.advance(days: 5)
        #expect(try await harness.service.keepDeadlines() == 0, "the due day is in time")
        #expect(try await harness.poolCases(as: .administrator) { $0.overdue = true }.isEmpty)
        harness.clock.advance(days: 1)
        #expect(
          try await harness.poolCases(as: .administrator) { $0.overdue = true }.count == 3)
        async let first = harness.service.keepDeadlines()
        async let second = harness.service.keepDeadlines()
        #expect(try await first + second == 3, "two replicas do it once")
      }
      let path = ["quegou", "xiangshan", "huaibei", "anhui", "nation", "nation"]
      #expect(custodians == path.map { names[$0] ?? "" })
      #expect(try await harness.poolCases(as: .administrator)[0].level == 6)
      #expect(
        try await harness.poolCases(as: .administrator) { $0.custodian = names["nation"] ?? "" }
          .count == 3)
      #expect(try await harness.audit(action: "poolCases.escalate").count == 18)
    }
  }

  @Test("members pooled by a dissolution have a case; transfers to the union are cancelled")
  func dissolved() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let union = names["quegou-east"] ?? ""
      let member = try await harness.submit(
        Applicant.application(1) { $0.areas?.work = "340603100201" }, as: .administrator
      ).member
      let other = try await harness.submit(Applicant.application(2), as: .administrator).member
      let asked = try await harness.ask(union, as: .member(other))
      _ = try await harness.dissolve(union, poolsMembers: true)
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.map(\.member) == [member])
      #expect(cases.map(\.pool) == [names["xiangshan-pool"]])
      #expect(try await harness.transfers(as: .member(other)).isEmpty)
      #expect(
        try await refusal { try await harness.accept(asked.name, as: .administrator) }
          == "TRANSFER_STATE")
      _ = try await harness.assign(cases[0].name, to: names["quegou"] ?? "", as: .administrator)
      _ = try await harness.confirm(cases[0].name, as: .administrator)
      #expect(
        try await harness.log(of: member, as: .administrator).map(\.action)
          == [.joined, .pooled, .placed])
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
    }
  }

  @Test("cases are listed page by page in order of due date, within the subtree")
  func listed() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      for day in 1...3 {
        _ = try await harness.enroll((1...4).map { Self.pooled(day * 10 + $0) })
        harness.clock.advance(days: 1)
      }
      let cases = try await harness.poolCases(as: .administrator)
      #expect(cases.count == 12)
      #expect(Set(cases.map(\.name)).count == 12)
      let days = cases.map { $0.dueDate?.day ?? 0 }
      #expect(days == days.sorted())
      let far = Caller.staff(names["lieshan"] ?? "", role: .clerk)
      #expect(try await harness.poolCases(as: far).isEmpty)
      #expect(
        try await refusal {
          try await harness.poolCases(as: far) { $0.custodian = names["xiangshan"] ?? "" }
        } == "OUT_OF_SCOPE")
      var get = GetPoolCaseRequest()
      get.name = cases[0].name
      #expect(try await harness.client(.administrator).getPoolCase(get).poolCase == cases[0])
      #expect(
        try await refusal { try await harness.client(far).getPoolCase(get) }
          == "POOL_CASE_NOT_FOUND")
    }
  }
}

extension PoolTests {
  @Test("lists of open and ended cases are in order of due date, page by page, by either plan")
  func history() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let (pool, union) = (names["xiangshan-pool"] ?? "", names["quegou"] ?? "")
      for day in 1...3 {
        _ = try await harness.enroll((1...4).map { Self.pooled(day * 10 + $0) })
        harness.clock.advance(days: 1)
      }
      let opened = try await harness.poolCases(as: .administrator)
      for one in stride(from: 0, to: 12, by: 2).map({ opened[$0] }) {
        _ = try await harness.assign(one.name, to: union, as: .administrator)
        _ = try await harness.confirm(one.name, as: .administrator)
      }
      let ways: [(inout ListPoolCasesRequest) -> Void] = [
        { _ in }, { $0.ancestor = pool }, { $0.custodian = names["xiangshan"] ?? "" },
      ]
      for way in ways {
        func listed(_ states: [PoolCaseState]) async throws -> [String] {
          try await harness.poolCases(as: .administrator) { request in
            way(&request)
            request.states = states
          }.map(\.name)
        }
        #expect(try await listed([.waiting, .assigned, .confirmed, .closed]) == opened.map(\.name))
        #expect(try await listed([.confirmed]).count == 6)
        #expect(try await listed([]).count == 6)
        #expect(try await listed([.waiting, .confirmed]) == opened.map(\.name))
      }
      #expect(
        try await harness.poolCases(as: .administrator) {
          ($0.receiver, $0.states) = (union, [.confirmed])
        }.count == 6)
      let range = PathRange(subtreeOf: "")
      let start = try ListPlace(nil)
      let second = try await harness.database.read(
        PoolCaseStore.place(after: start, overdueOn: nil, skipping: 4))
      for end in [nil, second] {
        var pages: [[String]] = []
        for plan in [ListPlan.rows, .organizations] {
          pages.append(
            try await harness.database.read(
              PoolCaseStore.page(
                of: .pools(range, by: plan, before: end), states: [.waiting], overdueOn: nil,
                after: start, limit: 20)
            ).map(\.poolCase.id))
        }
        #expect(pages[0] == pages[1])
        #expect(pages[0].count == (end == nil ? 6 : 4))
      }
      #expect(
        try await harness.database.read(
          PoolCaseStore.all(of: String(opened[0].member.suffix(32)))
        ).map(\.poolCase.progress.state) == [.confirmed])
    }
  }
}

extension Harness {
  func poolCases(
    as caller: Caller, _ change: (inout ListPoolCasesRequest) -> Void = { _ in }
  ) async throws -> [PoolCase] {
    var request = ListPoolCasesRequest()
    request.pageSize = 5
    change(&request)
    var cases: [PoolCase] = []
    repeat {
      let page = try await client(caller).listPoolCases(request)
      cases += page.poolCases
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return cases
  }

  func assign(
    _ name: String, to receiver: String, as caller: Caller, requestID: String = UUID().uuidString
  ) async throws -> PoolCase {
    var request = AssignPoolCaseRequest()
    request.requestID = requestID
    request.name = name
    request.receiver = receiver
    return try await client(caller).assignPoolCase(request).poolCase ?? PoolCase()
  }

  func confirm(_ name: String, as caller: Caller) async throws -> ConfirmPoolCaseResponse {
    var request = ConfirmPoolCaseRequest()
    request.requestID = UUID().uuidString
    request.name = name
    return try await client(caller).confirmPoolCase(request)
  }

  func giveBack(_ name: String, as caller: Caller) async throws -> PoolCase {
    var request = ReturnPoolCaseRequest()
    request.requestID = UUID().uuidString
    request.name = name
    request.reason = "不在本辖区工作"
    return try await client(caller).returnPoolCase(request).poolCase ?? PoolCase()
  }

  fileprivate func caseLog() async throws -> [String] {
    try await database.read(
      Query<[String]>.all("SELECT action FROM pool_case_log ORDER BY version") {
        try $0.text("action")
      })
  }
}
