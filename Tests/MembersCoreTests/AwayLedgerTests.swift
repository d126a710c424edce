import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("The away ledger of a large subtree", .timeLimit(.minutes(5)))
struct AwayLedgerTests {
  /// More reports than are sorted for each page.
  private static let reports = 3_600

  /// Inserts reports in all states, spread over all organizations.
  private static func fill(_ harness: Harness, _ organizations: [String]) async throws {
    let columns = [
      "id", "member_id", "organization_id", "managing_organization_id", "state", "departure_day",
      "return_day", "details", "reporter", "sample", "check_result", "version", "created",
    ]
    let rows = (0..<reports).map { number -> [any SQLValueConvertible] in
      let organization = organizations[number % organizations.count]
      return [
        hexID(number), hexID(number), organization, organization, 1 + number / 7 % 6, 20_780,
        20_980, [UInt8](), "staff/1", number % 5 == 0 ? "2026-11" : nil as String?, 0, 1, 1,
      ]
    }
    var commit = Commit(at: harness.clock.now)
    commit.insert(into: "away_reports", columns, rows)
    if harness.database.dialect == .postgres { commit.run("ANALYZE away_reports") }
    try await harness.database.write(commit)
  }

  private static func listed(
    _ request: ListAwayReportsRequest, _ harness: Harness
  ) async throws -> [AwayReport] {
    var request = request
    request.pageSize = 170
    var found: [AwayReport] = []
    repeat {
      let page = try await harness.client(.administrator).listAwayReports(request)
      found += page.reports
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return found
  }

  @Test("both query plans list the same reports in the same order; a long one goes by index")
  func pages() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      try await Self.fill(harness, names.values.map { String($0.suffix(32)) }.sorted())
      for isSampled in [false, true] {
        let all = AwayStore.Page(
          range: PathRange(subtreeOf: ""), states: [.reported, .filed, .away, .returnedForFix],
          isSampled: isSampled, after: nil, limit: 10_000)
        let gathered = try await harness.database.read(AwayStore.following(all, by: .rows)).map(
          \.report)
        #expect(!gathered.isEmpty)
        #expect(
          try await harness.database.read(AwayStore.following(all, by: .organizations)).map(
            \.report) == gathered)
        let request = ListAwayReportsRequest.with { $0.sampledOnly = isSampled }
        #expect(try await Self.listed(request, harness) == gathered.map(\.message))
      }
      // The states of few reports are gathered.
      let ended = ListAwayReportsRequest.with { $0.states = [.ended] }
      #expect(try await Self.listed(ended, harness).allSatisfy { $0.state == .ended })
    }
  }

  @Test("a page reads no more of the ledger than its rows", arguments: Engine.allCases)
  func plan(_ engine: Engine) async throws {
    try await Harness.run(on: [engine]) { harness in
      let names = try await harness.plantTree()
      try await Self.fill(harness, names.values.map { String($0.suffix(32)) }.sorted())
      let path =
        try await harness.database.read(
          OrganizationStore.byID(String((names["huaibei"] ?? "").suffix(32))))?.path ?? ""
      let place = try #require(
        try AwayStore.Place([.text(path), .integer(1), .text(hexID(1))]))
      let page = AwayStore.Page(
        range: PathRange(subtreeOf: path), states: [.reported, .filed], isSampled: false,
        after: place, limit: 3)
      for query in [
        AwayStore.rest(page, at: place), AwayStore.following(page, by: .organizations),
      ] {
        let explain = engine == .sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN "
        let column = engine == .sqlite ? "detail" : "QUERY PLAN"
        let plan = try await harness.database.read(
          Query<[String]>.all(explain + query.sql, query.arguments) { try $0.text(column) }
        ).joined(separator: "\n")
        #expect(plan.contains("away_reports_by_manager"), "\(plan)")
        for whole in ["SCAN", "TEMP B-TREE", "Seq Scan on away_reports"] {
          #expect(!plan.contains(whole), "\(plan)")
        }
      }
    }
  }

  @Test("reports follow their members when a union is dissolved")
  func dissolved() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      let member = try await harness.submit(
        Applicant.application(1) { $0.areas?.work = "340603100201" }, as: .administrator
      ).member
      let report = try await harness.client(.administrator).reportAway(AwayTests.report(member))
      try await harness.dissolve(names["quegou-east"] ?? "", poolsMembers: true)
      for (organization, isThere) in [("quegou-east", false), ("xiangshan-pool", true)] {
        let request = ListAwayReportsRequest.with { $0.ancestor = names[organization] ?? "" }
        let found = try await harness.client(.administrator).listAwayReports(request).reports
        #expect(found == (isThere ? [report.report].compactMap { $0 } : []))
      }
      #expect(try await harness.service.recount(report: UpkeepTests.quiet) == [])
      // A report that was left behind would be found.
      try await harness.database.write(
        Commit(
          at: harness.clock.now,
          statements: [
            Statement(
              "UPDATE away_reports SET managing_organization_id = ?1",
              [String((names["quegou-east"] ?? "").suffix(32))])
          ]))
      #expect(try await harness.service.recount(report: UpkeepTests.quiet).count == 1)
    }
  }
}
