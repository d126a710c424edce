import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("An export and the tables", .timeLimit(.minutes(5)))
struct PersonalDataTableTests {
  /// The part of an export that has the rows of each table about a person.
  private static let parts = [
    "persons": "record", "memberships": "record", "member_numbers": "record",
    "confirmations": "record", "unit_members": "record", "membership_log": "log",
    "enrollments": "application", "open_enrollments": "application", "pool_cases": "poolCase",
    "pool_case_log": "poolCaseEntry", "transfers": "transfer", "open_transfers": "transfer",
    "corrections": "correction", "open_corrections": "correction", "away_reports": "awayReport",
    "open_away_reports": "awayReport", "refresh_records": "refreshRecord", "honors": "honor",
    "outreach_entries": "outreach", "duplicate_cases": "duplicate", "merges": "merge",
  ]

  /// Tables about a person that an export leaves out.
  private static let derived = [
    "person_hashes": "keyed hashes of the record, under keys that nobody else has",
    "count_changes": "effects of the log on counters, until they are folded",
    "unit_queue": "members whose unit is to be determined, until they are",
  ]

  /// The columns by which a table is about a person.
  private static let keys: Set<String> = [
    "person_id", "other_person_id", "member_id", "survivor_id", "merged_id", "wrapped_key",
    "member_number", "case_id", "resident_id", "phone",
  ]
  /// Units are no persons, although their names are encrypted.
  private static let others: Set<String> = ["units"]

  @Test("each table with a person's key has its part, and all parts are sent")
  func complete() async throws {
    try await Harness.run { harness in
      let query =
        harness.database.dialect == .postgres
        ? """
        SELECT CAST(table_name AS TEXT) AS tab, CAST(column_name AS TEXT) AS col
        FROM information_schema.columns WHERE table_schema = current_schema()
        """
        : """
        SELECT t.name AS tab, c.name AS col FROM sqlite_master AS t
        JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'
        """
      let columns = try await harness.database.read(
        Query<[(String, String)]>.all(query) { (try $0.text("tab"), try $0.text("col")) })
      let about = Set(
        columns.filter { table, column in
          !table.hasPrefix("storage_") && Self.keys.contains(column)
        }.map { $0.0.replacing(/_[0-9]+$/, with: "") }
      ).subtracting(Self.others)
      #expect(
        about == Set(Self.parts.keys).union(Self.derived.keys),
        "a new table about a person needs a part of the export, or a reason why not")

      let member = try await Self.live(harness)
      let exported = try await harness.export("", as: .member(member))
      let sent = exported.compactMap { response in
        response.part.flatMap { Mirror(reflecting: $0).children.first?.label }
      }
      #expect(Set(sent) == Set(Self.parts.values))
      guard case .record(let record)? = exported.first?.part else { throw Unexpected("no record") }
      #expect(record.confirmDate == .day(20_778))
      #expect(record.unit.hasPrefix("units/"))
      #expect(record.membership?.memberNumber.isEmpty == false)
      for response in exported {
        switch response.part {
        case .application(let one):
          #expect(one.enrollment?.name == one.name && one.enrollment?.route != .unspecified)
        case .poolCaseEntry(let one): #expect(one.action == "OPENED" || one.version > 1)
        case .merge(let one): #expect(one.undoTime == nil && one.survivor == member)
        case .duplicate(let one): #expect(one.kind == .phone && one.state == .same)
        case .refreshRecord(let one): #expect(one.record?.state == .confirmed)
        default: break
        }
      }
      // Who of the union's staff acted is not the person's data.
      let staff = try exported.contains {
        Data(try $0.wireBytes()).range(of: Data("staff/".utf8)) != nil
      }
      #expect(!staff)
    }
  }

  /// A person of whom every table has a row.
  private static func live(_ harness: Harness) async throws -> String {
    let names = try await harness.plantTree()
    let chief = Caller.staff(names["xiangshan"] ?? "")
    let list = try await harness.makeList(as: chief)
    let row = RosterRow.with {
      ($0.residentID, $0.personName) = (Applicant.residentID(1), "张伟")
      $0.phone = Applicant.phone(1)
    }
    #expect(try await harness.fill(list, [row], as: chief) == 1)
    let application = Applicant.application(1) {
      $0.areas?.work = "340603"
      $0.employerName = "顺达(淮北)货运有限公司"
    }
    let member = try await harness.submit(application, as: .administrator).member
    let me = Caller.member(member)
    let transfer = try await harness.ask(names["quegou"] ?? "", as: me)
    _ = try await harness.accept(transfer.name, as: .administrator)
    try await harness.service.foldUnits()
    _ = try await harness.correct(.with { $0.phone = "13912345678" }, as: me)
    let away = ReportAwayRequest.with {
      ($0.requestID, $0.departureDate, $0.returnDate) =
        (UUID().uuidString, .day(20_800), .day(21_000))
      $0.details = .with { ($0.destination, $0.contact) = ("新疆乌鲁木齐", "13900000000") }
    }
    _ = try await harness.client(me).reportAway(away)
    let clerk = try harness.client(.staff(names["quegou"] ?? "", role: .clerk))
    _ = try await clerk.openRefreshRound(
      .with {
        ($0.requestID, $0.dueDate) = (UUID().uuidString, .day(20_800))
        $0.allRecords = true
      })
    _ = try await clerk.confirmMember(
      .with { ($0.requestID, $0.name) = (UUID().uuidString, member) })
    let honor = Honor.with {
      ($0.member, $0.sourceEvent, $0.title, $0.date) = (member, "titles/1", "技术能手", .day(20_700))
    }
    _ = try await harness.client(.service("contests")).recordHonor(.with { $0.honor = honor })
    _ = try await harness.submit(
      Applicant.application(2) { $0.phone = Applicant.phone(1) }, as: .administrator)
    let duplicate = try await harness.duplicates(as: .administrator)[0]
    _ = try await harness.judge(duplicate.name, survivor: member, as: .administrator)
    return member
  }

  @Test("honors are listed in pages, and exported all")
  func honors() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let member = try await harness.submit(Applicant.application(1), as: .administrator).member
      let other = try await harness.submit(Applicant.application(2), as: .administrator).member
      var commit = Commit(at: harness.clock.now)
      let count = PageSize.max + 5
      commit.insert(
        into: "honors", ["source_event", "member_id", "title", "day", "revoked", "version"],
        (0..<count).map { number in
          // Several on each day, and some from before 1970.
          let event = "titles/\(String(10_000 + number))"
          return [event, String(member.suffix(32)), "称号", number / 3 - 100, false, 1]
        })
      try await harness.database.write(commit)
      let expected = (0..<count).map { "titles/\(10_000 + $0)" }
      let client = try harness.client(.member(member))
      for size in [0, 7, 1_000] {
        var request = ListHonorsRequest.with { $0.pageSize = Int32(size) }
        var found: [String] = []
        repeat {
          let page = try await client.listHonors(request)
          #expect(page.honors.count <= (size == 0 ? 50 : size))
          found += page.honors.map(\.sourceEvent)
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(found == expected)
      }
      let first = try await client.listHonors(ListHonorsRequest())
      let foreign = ListHonorsRequest.with { $0.pageToken = first.nextPageToken }
      #expect(
        try await refusal { try await harness.client(.member(other)).listHonors(foreign) }
          == "INVALID_PAGE_TOKEN")
      let exported = try await harness.export("", as: .member(member)).compactMap { part in
        if case .honor(let one)? = part.part { one.sourceEvent } else { nil as String? }
      }
      #expect(exported == expected)
    }
  }
}
