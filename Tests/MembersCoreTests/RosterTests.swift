import Crypto
import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("A roster is compared with the members")
struct RosterTests {
  static func row(
    _ number: Int, name: String? = nil, unit: String = "",
    _ change: (inout RosterRow) -> Void = { _ in }
  ) -> RosterRow {
    var row = RosterRow()
    row.row = Int64(number)
    row.residentID = Applicant.residentID(number)
    row.personName = name ?? Applicant.application(number).personName
    row.unitName = unit
    change(&row)
    return row
  }

  static func compare(
    _ harness: Harness, _ parts: [[RosterRow]], as caller: Caller, purpose: String = "许可证名册比对",
    organization: String = ""
  ) async throws -> (results: [RosterResult], summary: RosterSummary) {
    let call = try await harness.client(caller).compareRoster()
    async let sending: Void = {
      var header = RosterHeader()
      header.purpose = purpose
      header.organization = organization
      try await call.send(.with { $0.part = .header(header) })
      for part in parts {
        try await call.send(.with { $0.part = .rows(.with { $0.rows = part }) })
      }
      try await call.finishSending()
    }()
    var results: [RosterResult] = []
    var summary: RosterSummary?
    for try await response in call.responses {
      switch response.part {
      case .results(let part)?: results += part.results
      case .summary(let last)?: summary = last
      case nil: throw Unexpected("an empty message")
      }
    }
    try await sending
    return (results, try #require(summary))
  }

  @Test(
    "each row gets its result, in order, by ID or by SHA-256; units without a union are reported")
  func verdicts() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree()
      _ = try await harness.enroll(
        (1...6).map { number in
          Applicant.application(number) { if number > 4 { $0.areas?.work = "340604" } }
        })
      try await harness.leave(
        try #require(
          try await harness.members().first {
            $0.managingOrganization == names["quegou"]
              && $0.residentIDMasked.hasSuffix(Applicant.residentID(4).suffix(4))
          }))
      let parts = [
        [
          Self.row(1, unit: "甲公司"), Self.row(2, name: "王五", unit: "甲公司"),
          Self.row(3) { row in
            row.residentIDSHA256 = Array(SHA256.hash(data: Data(row.residentID.utf8)))
            row.residentID = ""
          }, Self.row(4, unit: "甲公司"), Self.row(5),
        ],
        [],
        [
          Self.row(90, unit: "乙公司") { $0.unitCreditCode = Tree.employerCreditCode },
          Self.row(91) { $0.residentID = "123" },
          Self.row(92) { ($0.residentID, $0.residentIDSHA256) = ("", [1, 2]) },
        ],
      ]
      let caller = Caller.staff(names["xiangshan"] ?? "")
      let (results, summary) = try await Self.compare(harness, parts, as: caller)
      #expect(results.map(\.row) == [1, 2, 3, 4, 5, 90, 91, 92])
      #expect(
        results.map(\.verdict) == [
          .memberHere, .conflict, .memberHere, .notMember, .memberElsewhere, .notMember,
          .invalid, .invalid,
        ])
      #expect(summary.counts.map(\.rows).reduce(0, +) == 8)
      #expect(summary.units.map(\.name) == ["甲公司"], "the other one has a union")
      #expect(summary.units.map(\.rows) == [3])
      #expect(summary.units.map(\.notMembers) == [1])
      let noted = try await harness.database.read(
        Query<Int>.one(
          """
          SELECT count(*) AS n FROM storage_audit
          WHERE action = 'members.compareRoster' AND reason = '许可证名册比对'
          """
        ) { try $0.int("n") })
      #expect(noted == 1)
    }
  }

  @Test("members are found by ID and by SHA-256, with their names, under each key in use")
  func keys() async throws {
    try await Harness.run { root in
      let rings = try UpkeepTests.Rings(root)
      let before = root.sharing(try rings.keys())
      let names = try await before.plantTree()
      _ = try await before.submit(Applicant.application(1), as: .administrator)
      try rings.change("hashes") { $0.adding(at: root.clock.now) }
      let harness = root.sharing(try rings.keys())
      _ = try await harness.submit(Applicant.application(2), as: .administrator)
      func hashed(_ row: inout RosterRow) {
        row.residentIDSHA256 = Array(SHA256.hash(data: Data(row.residentID.utf8)))
        row.residentID = ""
      }
      let rows = [1, 2, 3].flatMap { number in
        [
          Self.row(number), Self.row(number, name: "王五"), Self.row(number, name: ""),
          Self.row(number, name: "?"), Self.row(number, hashed),
          Self.row(number, name: "王五", hashed), Self.row(number, name: "", hashed),
        ]
      }
      for (part, isHere) in [("xiangshan", true), ("lieshan", false)] {
        let known: RosterVerdict = isHere ? .memberHere : .memberElsewhere
        let verdicts: [RosterVerdict] = [
          known, .conflict, known, .conflict, known, .conflict, known,
        ]
        let (results, _) = try await Self.compare(
          harness, [rows], as: .administrator, organization: names[part] ?? "")
        #expect(
          results.map(\.verdict) == verdicts + verdicts + Array(repeating: .notMember, count: 7))
      }
    }
  }

  @Test("a purpose is required, the scope is enforced, and the daily quota covers all streams")
  func limits() async throws {
    var configuration = MembersConfiguration()
    configuration.rosterRowsPerDay = 10
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      let caller = Caller.staff(names["xiangshan"] ?? "")
      let rows = (1...4).map { Self.row($0) }
      #expect(
        try await refusal { try await Self.compare(harness, [rows], as: caller, purpose: "") }
          == "INVALID_FIELDS header.purpose=REQUIRED")
      #expect(
        try await refusal {
          try await Self.compare(
            harness, [rows], as: caller, organization: names["huaibei"] ?? "")
        } == "OUT_OF_SCOPE")
      _ = try await Self.compare(harness, [rows, rows], as: caller)
      #expect(
        try await refusal { try await Self.compare(harness, [rows], as: caller) }
          == "ROSTER_QUOTA")
      harness.clock.advance(days: 1)
      _ = try await Self.compare(harness, [rows], as: caller)
      let many = Array(repeating: RosterRow(), count: 4_097)
      #expect(
        try await refusal { try await Self.compare(harness, [many], as: caller) }
          == "INVALID_FIELDS rows=TOO_MANY")
    }
  }
}
