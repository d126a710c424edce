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

@Suite("Lists of what waits")
struct ListPlanTests {
  @Test("both plans give the same rows in the same order, and few waiting rows are gathered")
  func plans() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [
      RegionSetting(regionCode: "340600", rules: .poolFirst, approveFirst: true)
    ]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      for number in 1...6 {
        _ = try await harness.submit(
          Applicant.application(number) {
            if number % 2 == 0 { $0.areas?.work = "340604" }
          }, as: .administrator)
      }
      let waiting = [EnrollmentState.held, .pending]
      let rows = EnrollmentStore.rows(waiting)
      #expect(try await harness.database.read(rows.areMore(than: 5)))
      #expect(try await !harness.database.read(rows.areMore(than: 6)))
      #expect(rows.isIndexed && !EnrollmentStore.rows([.admitted]).isIndexed)
      let path = try await harness.database.read(
        OrganizationStore.byID(String((names["huaibei"] ?? "").suffix(32))))?.path
      let range = PathRange(subtreeOf: path ?? "")
      let queue = { (plan: ListPlan, states: [EnrollmentState]) in
        try await harness.database.read(
          EnrollmentStore.queue(of: range, after: "", states: states, by: plan, limit: 4)
        ).map(\.enrollment.id)
      }
      #expect(try await queue(.rows, waiting).count == 4)
      #expect(try await queue(.rows, waiting) == (try await queue(.organizations, waiting)))
      #expect(try await queue(.rows, [.held]).isEmpty)
      // Transfers, of two members who were approved.
      let approved = try await queue(.rows, waiting).prefix(2)
      var members: [String] = []
      for id in approved {
        var request = ApproveEnrollmentRequest()
        (request.requestID, request.name) = (UUID().uuidString, "enrollments/\(id)")
        members.append(
          try await harness.client(.administrator).approveEnrollment(request).enrollment?.member
            ?? "")
      }
      for member in members {
        _ = try await harness.ask(names["quegou"] ?? "", as: .member(member))
      }
      let start = try ListPlace(nil)
      let transfers = { (plan: ListPlan, end: ListPlace?) in
        try await harness.database.read(
          TransferStore.page(
            of: .receivers(range, by: plan, before: end), states: [.requested], after: start,
            limit: 5)
        ).map(\.transfer.id)
      }
      let both = try await transfers(.rows, nil)
      #expect(both.count == 2)
      #expect(try await transfers(.organizations, nil) == both)
      let (second, none) = try await harness.database.read(
        TransferStore.place(after: start, skipping: 1),
        TransferStore.place(after: start, skipping: 2))
      #expect(second?.id == both.last && none == nil)
      #expect(try await transfers(.rows, second) == [both[0]])
    }
  }

  /// Adds unions below one, more than a page of a list passes.
  private static func plant(_ unions: Int, below parent: String, _ harness: Harness) async throws {
    var union = try #require(
      try await harness.database.read(OrganizationStore.byID(String(parent.suffix(32)))))
    union.parentID = union.id
    let path = union.path
    var commit = Commit(at: harness.clock.now)
    for number in 0..<unions {
      union.id = hexID(100_000 + number)
      (union.externalID, union.path) = ("many-\(number)", path + union.id)
      commit.run(
        """
        INSERT INTO organizations (
          id, external_id, path, parent_id, display_name, kind, level, region_code,
          occupation_groups, credit_code, employer_credit_codes, takes_individuals, state, version,
          created
        ) VALUES (?1, ?2, ?3, ?4, '工会', 5, 6, '340603', 0, '', '', 0, 2, 1, 1)
        """, [union.id, union.externalID, union.path, union.parentID])
    }
    if harness.database.dialect == .postgres { commit.run("ANALYZE organizations") }
    try await harness.database.write(commit)
  }

  /// Adds outreach lists of one organization.
  private static func addLists(
    _ numbers: Range<Int>, of name: String, _ harness: Harness
  ) async throws {
    var commit = Commit(at: harness.clock.now)
    commit.insert(
      into: "outreach_lists",
      [
        "id", "organization_id", "display_name", "means", "due_day", "closed", "people", "progress",
        "version", "created",
      ],
      numbers.map {
        [
          hexID(200_000 + $0), String(name.suffix(32)), "名单", 1, 20_800, false, 0, [UInt8](), 1, 1,
        ]
      })
    try await harness.database.write(commit)
  }

  @Test("a page of many rows passes as many organizations as rows, or reads the rows")
  func sparse() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let max = ListPlan.gatheredMin
      try await Self.plant(max + 1, below: names["lieshan"] ?? "", harness)
      try await Self.addLists(0..<max + 1, of: names["xiangshan"] ?? "", harness)
      let lieshan = try #require(
        try await harness.database.read(
          OrganizationStore.byID(String((names["lieshan"] ?? "").suffix(32)))))
      /// The reads of a page that finds nothing.
      func passed(
        _ path: String, _ rows: ListRows = OutreachStore.rows
      ) async throws -> [(PathRange, ListPlan)] {
        var read: [(PathRange, ListPlan)] = []
        let found = try await harness.service.treePage(
          of: PathRange(subtreeOf: path), after: "", limit: 2, rows
        ) { range, plan in
          read.append((range, plan))
          return Query<[String]>.constant([])
        }
        #expect(found.isEmpty)
        return read
      }
      let many = try await passed(lieshan.path)
      #expect(many.map(\.1) == [.organizations, .rows])
      #expect(many[1].0 == PathRange(subtreeOf: lieshan.path))
      #expect(
        try await harness.database.read(
          OrganizationStore.size(of: many[0].0, upTo: 2 * max)) == max)
      let few = ListRows(of: "organization_codes AS c")
      #expect(try await passed(lieshan.path, few).map(\.1) == [.rows])
      #expect(try await passed(lieshan.path, .unindexed).map(\.1) == [.organizations])
      #expect(try await passed(lieshan.path + hexID(100_000)).map(\.1) == [.organizations])
      // All lists of the city, which are behind or before more organizations than are passed.
      let client = try harness.client(.staff(names["huaibei"] ?? "", role: .viewer))
      var request = ListOutreachListsRequest.with { $0.pageSize = 900 }
      var found: [String] = []
      repeat {
        let page = try await client.listOutreachLists(request)
        found += page.outreachLists.map(\.name)
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(found == (0...max).map { "outreachLists/\(hexID(200_000 + $0))" })
      request.ancestor = lieshan.message.name
      #expect(try await client.listOutreachLists(request).outreachLists.isEmpty)
      // However many rows there are elsewhere, a page reads no more than the subtree.
      try await Self.addLists(max + 1..<2 * max + 1, of: names["xiangshan"] ?? "", harness)
      let elsewhere = try await passed(lieshan.path)
      #expect(elsewhere.map(\.1) == [.organizations, .organizations])
      #expect(elsewhere[1].0 == PathRange(subtreeOf: lieshan.path))
      #expect(try await client.listOutreachLists(request).outreachLists.isEmpty)
    }
  }

  @Test("a page by due day reads as many rows as organizations, or those of the subtree")
  func ordered() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let max = ListPlan.gatheredMin
      try await Self.plant(max + 1, below: names["lieshan"] ?? "", harness)
      /// The reads of a page that finds some rows among the first and others in the subtree.
      func reads(rows: Int, found: Int) async throws -> [String] {
        var read: [String] = []
        let page = try await harness.service.orderedPage(
          of: PathRange(subtreeOf: ""), limit: 2, OutreachStore.rows,
          { .constant($0 < rows ? ListPlace(number: Int64($0), id: "") : nil) }
        ) { plan, end in
          read.append("\(plan) \(end.map { "\($0.number)" } ?? "all")")
          return Query<[Int]>.constant(
            Array(repeating: 0, count: plan == .rows && end != nil ? found : 1))
        }
        #expect(page.count == (rows > max && found == 2 ? 2 : 1))
        return read
      }
      #expect(try await reads(rows: max, found: 1) == ["rows all"])
      #expect(try await reads(rows: max + 1, found: 2) == ["rows \(max)"])
      #expect(try await reads(rows: 2 * max, found: 1) == ["rows \(max)", "rows all"])
      #expect(
        try await reads(rows: 1_000_000, found: 1)
          == ["rows \(max)", "rows \(2 * max)", "organizations all"])
    }
  }

  /// Returns the engine's plan of a query, even if it may not look up rows of joined tables one by
  /// one, as PostgreSQL prefers for many of them.
  private static func plan<Row>(_ query: Query<Row>, _ harness: Harness) async throws -> String {
    guard harness.database.dialect == .postgres else {
      return try await harness.database.read(
        Query<[String]>.all("EXPLAIN QUERY PLAN " + query.sql, query.arguments) {
          try $0.text("detail")
        }
      ).joined(separator: "\n")
    }
    let (_, lines) = try await harness.database.read(
      Query<[String]>.all("SELECT set_config('enable_nestloop', 'off', true) AS set", []) {
        try $0.text("set")
      },
      Query<[String]>.all("EXPLAIN " + query.sql, query.arguments) { try $0.text("QUERY PLAN") })
    return lines.joined(separator: "\n")
  }

  private static func duplicates(by plan: ListPlan, limit: Int = 50) throws
    -> Query<[StoredDuplicate]>
  {
    DuplicateStore.page(
      of: PathRange(subtreeOf: hexID(1)), states: [.open], by: plan, before: nil,
      after: try ListPlace(nil), limit: limit)
  }

  @Test("a page of possible duplicates does not read all organizations")
  func duplicates() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      try await Self.plant(ListPlan.gatheredMin, below: names["lieshan"] ?? "", harness)
      let plan = try await Self.plan(try Self.duplicates(by: .rows), harness)
      for whole in ["SCAN", "TEMP B-TREE", "Seq Scan on organizations"] {
        #expect(!plan.contains(whole), "\(plan)")
      }
    }
  }

  private static func corrections(by plan: ListPlan) throws -> Query<[PlacedCorrection]> {
    CorrectionStore.page(
      of: PathRange(subtreeOf: hexID(1)), states: [.requested], by: plan, before: nil,
      after: try ListPlace(nil), limit: 50)
  }

  private static func cases(
    _ filter: PoolCaseStore.Filter, _ states: [PoolCaseState] = [.waiting, .assigned]
  ) throws -> Query<[PlacedPoolCase]> {
    PoolCaseStore.page(
      of: filter, states: states, overdueOn: nil, after: try ListPlace(nil), limit: 50)
  }

  @Test("SQLite reads open cases and duplicates in order, or those of the subtree's organizations")
  func indexed() async throws {
    try await Harness.run(on: [.sqlite]) { harness in
      let range = PathRange(subtreeOf: hexID(1))
      func transfers(by plan: ListPlan) throws -> Query<[PlacedTransfer]> {
        TransferStore.page(
          of: .receivers(range, by: plan, before: nil), states: [.requested],
          after: try ListPlace(nil), limit: 50)
      }
      let ended: [PoolCaseState] = [.confirmed, .closed]
      let inOrder: [(String, String)] = [
        ("pool_cases_due", try await Self.plan(Self.cases(.pools(range, by: .rows)), harness)),
        (
          "pool_cases_open_by_custodian",
          try await Self.plan(Self.cases(.custodian(hexID(2))), harness)
        ),
        (
          "pool_cases_ended_by_custodian",
          try await Self.plan(Self.cases(.custodian(hexID(2)), ended), harness)
        ),
        (
          "pool_cases_open_by_receiver",
          try await Self.plan(Self.cases(.receiver(hexID(2)), [.assigned]), harness)
        ),
        ("duplicate_cases_by_state", try await Self.plan(Self.duplicates(by: .rows), harness)),
        ("transfers_due", try await Self.plan(transfers(by: .rows), harness)),
        ("corrections_by_state", try await Self.plan(Self.corrections(by: .rows), harness)),
      ]
      for (index, plan) in inOrder {
        #expect(plan.contains("INDEX \(index) "), "\(plan)")
        #expect(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "\(plan)")
      }
      let cases = PoolCaseStore.Filter.pools(range, by: .organizations)
      let bySubtree: [(String, String)] = [
        ("pool_cases_open_by_pool", try await Self.plan(Self.cases(cases), harness)),
        ("pool_cases_ended_by_pool", try await Self.plan(Self.cases(cases, ended), harness)),
        (
          "duplicate_cases_by_organization",
          try await Self.plan(Self.duplicates(by: .organizations), harness)
        ),
        (
          "corrections_by_organization",
          try await Self.plan(Self.corrections(by: .organizations), harness)
        ),
        ("transfers_by_receiver", try await Self.plan(transfers(by: .organizations), harness)),
        (
          "memberships_not_active",
          try await Self.plan(Self.members(of: range, by: .organizations), harness)
        ),
      ]
      for (index, plan) in bySubtree {
        let paths = "SEARCH o USING INDEX sqlite_autoindex_organizations_3 (path>? AND path<?)"
        #expect(plan.hasPrefix(paths), "\(plan)")
        #expect(plan.contains("INDEX \(index) "), "\(plan)")
      }
      let members = try await Self.plan(Self.members(of: range, by: .states), harness)
      #expect(
        members.hasPrefix("SEARCH m USING INDEX memberships_not_active (state=?)"), "\(members)")
      let records = try await Self.plan(
        RefreshStore.records(
          of: hexID(4), states: [.stale], after: .text(""), limit: 50), harness)
      #expect(records.contains("refresh_records_by_state (round_id=? AND state=?"), "\(records)")
      #expect(!records.contains("SCAN r"), "\(records)")
      let ofOne = try await Self.plan(PoolCaseStore.all(of: hexID(3)), harness)
      #expect(!ofOne.contains("SCAN"), "\(ofOne)")
    }
  }

  private static func members(of range: PathRange, by plan: MemberPlan) -> Query<[KnownMember]> {
    MemberStore.page(
      of: range, states: [.left, .expelled], groups: [], by: plan, after: .text(""), limit: 50)
  }

  /// Adds memberships of one organization, of which one in a thousand has left, and as many pool
  /// cases, of which one in a thousand is open.
  private static func age(_ count: Int, _ harness: Harness) async throws {
    let names = try await harness.plantTree()
    let union = String((names["quegou"] ?? "").suffix(32))
    let pool = String((names["xiangshan-pool"] ?? "").suffix(32))
    var persons: [[any SQLValueConvertible]] = []
    var (memberships, cases) = (persons, persons)
    let none: [UInt8] = []
    for number in 0..<count {
      let id = hexID(400_000 + number)
      let isRare = number.isMultiple(of: 1_000)
      let (state, caseState) = isRare ? (4, 1) : (2, 4)
      let day = 20_000 + number % 100
      persons.append([id, 1, none, none, none, none, 1])
      memberships.append([
        id, "\(100_000 + number)", state, union, union, 1, 1, "", day, none, Array(id.utf8), 1, 1,
      ])
      cases.append([id, id, caseState, pool, union, day, 15, 0, 0, 1, 1])
    }
    var commit = Commit(at: harness.clock.now)
    commit.insert(
      into: "persons",
      ["id", "hash_key", "wrapped_key", "person_name", "resident_id", "phone", "created"], persons)
    commit.insert(
      into: "memberships",
      [
        "id", "member_number", "state", "organization_id", "managing_organization_id",
        "occupation_group", "channel", "campaign", "join_day", "code", "code_sha256", "version",
        "created",
      ], memberships)
    commit.insert(
      into: "pool_cases",
      [
        "id", "member_id", "state", "pool_id", "custodian_id", "due_day", "days", "level",
        "returns", "version", "created",
      ], cases)
    for table in ["memberships", "pool_cases", "persons", "organizations"] {
      commit.run("ANALYZE \(table)")
    }
    try await harness.database.write(commit)
  }

  @Test("PostgreSQL finds few rows among many by the same indexes")
  func indexedOnPostgres() async throws {
    try await Harness.run(on: Engine.allCases.filter { $0 == .postgres }) { harness in
      try await Self.age(8_000, harness)
      let range = PathRange(subtreeOf: "")
      for plan in [MemberPlan.states, .organizations] {
        let lines = try await Self.plan(Self.members(of: range, by: plan), harness)
        #expect(!lines.contains("Seq Scan on memberships"), "\(lines)")
      }
      let filters: [PoolCaseStore.Filter] = [
        .pools(range, by: .rows), .pools(range, by: .organizations), .custodian(hexID(2)),
      ]
      for filter in filters {
        let lines = try await Self.plan(Self.cases(filter), harness)
        #expect(!lines.contains("Seq Scan on pool_cases"), "\(lines)")
      }
    }
  }

  @Test("SQLite begins with the table of the plan, and stops when the page is full")
  func order() async throws {
    try await Harness.run(on: [.sqlite]) { harness in
      let range = PathRange(subtreeOf: hexID(1))
      func plans(_ plan: ListPlan) async throws -> [String] {
        let page = AwayStore.Page(
          range: range, states: [.reported, .filed], isSampled: false, after: nil, limit: 5)
        return [
          try await Self.plan(
            EnrollmentStore.queue(
              of: range, after: "", states: [.held, .pending], by: plan, limit: 5), harness),
          try await Self.plan(
            UnitStore.page(
              of: range, states: [.triggered, .guiding], by: plan, after: "", "", limit: 5),
            harness),
          try await Self.plan(
            OutreachStore.page(
              of: range, withClosed: false, by: plan, after: "", "", limit: 5), harness),
          try await Self.plan(AwayStore.following(page, by: plan), harness),
        ]
      }
      for plan in try await plans(.organizations) {
        #expect(plan.hasPrefix("SEARCH o USING INDEX"), "\(plan)")
        #expect(!plan.contains("TEMP B-TREE FOR ORDER BY"), "\(plan)")
      }
      for plan in try await plans(.rows) {
        #expect(!plan.hasPrefix("SEARCH o"), "\(plan)")
      }
    }
  }
}
