import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// An away report as stored.
struct StoredAwayReport: Sendable, Hashable {
  var id: String
  var memberID: String
  /// The organization that managed the member when the report was made.
  var organizationID: String
  /// The organization that manages the member now.
  var managingOrganizationID: String
  var state: AwayState
  /// The day of departure in days since 1970-01-01.
  var departureDay: Int
  /// The day of return in days since 1970-01-01.
  var returnDay: Int
  /// The sealed `AwayDetails`.
  var details: [UInt8]
  /// The subject of the caller who reported or last corrected it.
  var reporter: String
  /// The subject of the last reviewer; empty before the review.
  var reviewer = ""
  /// The seed of the sample for which it was drawn.
  var sample: String?
  var check: AwayCheckResult
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64

  var message: AwayReport {
    var message = AwayReport()
    message.name = "awayReports/\(id)"
    message.member = "members/\(memberID)"
    message.organization = "organizations/\(organizationID)"
    message.state = state
    message.departureDate = .day(departureDay)
    message.returnDate = .day(returnDay)
    message.sampled = sample != nil
    message.sampleSeed = sample ?? ""
    message.checkResult = check
    message.createTime = Timestamp(microseconds: created)
    message.etag = Etag.text(version)
    return message
  }
}

/// A report with the position of the organization that manages its member.
struct PlacedAwayReport: Sendable, Hashable {
  var report: StoredAwayReport
  var path: String
}

/// The SQL of the away ledger.
enum AwayStore {
  static let table = "away_reports"

  /// A report belongs to the organization that currently manages the member.
  private static let selection = """
    SELECT \(columns) FROM away_reports AS a \
    JOIN organizations AS o ON o.id = a.managing_organization_id
    """

  /// The columns of `away_reports AS a` and `organizations AS o`, the managing one.
  static let columns = """
    a.id, a.member_id, a.organization_id, a.managing_organization_id, a.state, a.departure_day, \
    a.return_day, a.details, a.reporter, a.reviewer, a.sample, a.check_result, a.version, \
    a.created, o.path
    """

  static func byID(_ id: String) -> Query<PlacedAwayReport?> {
    .first("\(selection) WHERE a.id = ?1", [id], placed)
  }

  /// Returns the person of a report.
  static func person(of report: String) -> Query<StoredPerson?> {
    .first(
      """
      SELECT p.id AS person_id, p.wrapped_key, p.person_name, p.resident_id, p.phone
      FROM away_reports AS a JOIN persons AS p ON p.id = a.member_id WHERE a.id = ?1
      """, [report]
    ) { try PersonStore.person($0) }
  }

  /// Returns all reports of a member.
  static func all(of member: String) -> Query<[PlacedAwayReport]> {
    .all("\(selection) WHERE a.member_id = ?1 ORDER BY a.id", [member], placed)
  }

  /// Returns the reports with these identifiers.
  static func byIDs(_ ids: [String]) -> Query<[PlacedAwayReport]> {
    let list = InList(ids)
    return .all(
      "\(selection) WHERE a.id IN \(list.sql) ORDER BY a.id", list.arguments, placed)
  }

  /// Returns a page of the identifiers from which a sample of a subtree is drawn: of reports that
  /// are FILED or AWAY, and were not drawn before.
  static func population(of range: PathRange, after id: String, limit: Int) -> Query<[String]> {
    .all(
      """
      SELECT a.id FROM away_reports AS a
      JOIN organizations AS o ON o.id = a.managing_organization_id
      WHERE o.path >= ?1 AND o.path < ?2 AND a.state IN (?3, ?4)
        AND a.sample IS NULL AND a.id > ?5 ORDER BY a.id LIMIT ?6
      """,
      [range.first, range.end, AwayState.filed.rawValue, AwayState.away.rawValue, id, limit]
    ) { try $0.text("id") }
  }

  /// Inserts a report as the member's only open one.
  static func insert(_ report: StoredAwayReport, into commit: inout Commit) {
    commit.run(open(report))
    commit.run(
      """
      INSERT INTO away_reports (
        id, member_id, organization_id, managing_organization_id, state, departure_day,
        return_day, details, reporter, sample, check_result, version, created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
      """,
      [
        report.id, report.memberID, report.organizationID, report.managingOrganizationID,
        report.state.rawValue, report.departureDay, report.returnDay, report.details,
        report.reporter, report.sample, report.check.rawValue, report.version, report.created,
      ], expects: .exactly(1))
  }

  /// Returns the identifier of a member's open report.
  static func open(of member: String) -> Query<String?> {
    .first("SELECT report_id FROM open_away_reports WHERE member_id = ?1", [member]) {
      try $0.text("report_id")
    }
  }

  /// Returns the open report of a member.
  static func openReport(of member: String) -> Query<StoredAwayReport?> {
    Query<PlacedAwayReport?>.first(
      """
      \(selection)
      WHERE a.id = (SELECT report_id FROM open_away_reports WHERE member_id = ?1)
      """, [member], placed
    ).map { $0?.report }
  }

  /// - Parameter report: The changed report, with its version incremented.
  static func update(_ report: StoredAwayReport, into commit: inout Commit) {
    commit.run(
      """
      UPDATE away_reports SET state = ?2, departure_day = ?3, return_day = ?4, details = ?5,
        sample = ?6, check_result = ?7, version = ?8, reporter = ?9, reviewer = ?10
      WHERE id = ?1 AND version = ?8 - 1
      """,
      [
        report.id, report.state.rawValue, report.departureDay, report.returnDay, report.details,
        report.sample, report.check.rawValue, report.version, report.reporter, report.reviewer,
      ], expects: .exactly(1))
    if !AwayProgress(report.state).isOpen {
      commit.run(
        "DELETE FROM open_away_reports WHERE member_id = ?1 AND report_id = ?2",
        [report.memberID, report.id])
    }
  }

  /// Opens an ended report again, as its member's only open one.
  ///
  /// - Parameter report: The changed report, with its version incremented.
  static func reopen(_ report: StoredAwayReport, into commit: inout Commit) {
    update(report, into: &commit)
    commit.run(open(report))
  }

  /// Records a member's only open report.
  private static func open(_ report: StoredAwayReport) -> Statement {
    Statement(
      """
      INSERT INTO open_away_reports (member_id, report_id) VALUES (?1, ?2)
      ON CONFLICT (member_id) DO NOTHING
      """, [report.memberID, report.id], expects: .exactly(1))
  }

  /// A guard that detects a concurrent report.
  static func noneOpen(of memberID: String) -> Statement {
    Statement(
      "DELETE FROM open_away_reports WHERE member_id = ?1", [memberID], expects: .exactly(0))
  }

  /// Moves the reports of members along with them.
  static func move(_ members: [String], to organizationID: String) -> Statement {
    let list = InList(members, first: 2)
    return Statement(
      "UPDATE away_reports SET managing_organization_id = ?1 WHERE member_id IN \(list.sql)",
      [organizationID] + list.arguments)
  }

  @Sendable static func placed(_ row: Row) throws -> PlacedAwayReport {
    PlacedAwayReport(
      report: StoredAwayReport(
        id: try row.text("id"), memberID: try row.text("member_id"),
        organizationID: try row.text("organization_id"),
        managingOrganizationID: try row.text("managing_organization_id"),
        state: AwayState(rawValue: try row.int32("state")),
        departureDay: try row.int("departure_day"), returnDay: try row.int("return_day"),
        details: try row.blob("details"), reporter: try row.text("reporter"),
        reviewer: try row.text("reviewer"),
        sample: try row.optionalText("sample"),
        check: AwayCheckResult(rawValue: try row.int32("check_result")),
        version: try row.integer("version"), created: try row.integer("created")),
      path: try row.text("path"))
  }
}

extension OutboxEvent {
  /// Returns the event of a changed away report. Pseudonymous: contains no destination or contact.
  static func changed(_ report: StoredAwayReport) throws -> OutboxEvent {
    OutboxEvent(
      entity: "awayReports/\(report.id)", version: report.version,
      kind: MemberEventKind.awayReportChanged.rawValue,
      payload: try report.message.wireBytes())
  }
}
