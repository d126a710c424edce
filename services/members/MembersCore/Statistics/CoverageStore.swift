import GoogleType
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// A coverage base as stored: the number of people of a group to be organized.
struct StoredBase: Sendable, Hashable {
  var organizationID: String
  var group: OccupationGroup
  /// The day in days since 1970-01-01.
  var day: Int
  var people: Int64
  var qualifier: String
  var source: String

  var message: Base {
    .with {
      $0.organization = "organizations/\(organizationID)"
      $0.group = group
      $0.people = people
      $0.qualifier = qualifier
      $0.source = source
      $0.date = .day(day)
    }
  }
}

/// A coverage target as stored; its version covers the bases, too.
struct StoredTarget: Sendable, Hashable {
  var organizationID: String
  var group: OccupationGroup
  /// The target in basis points; 0 if there are only bases.
  var basisPoints: Int32
  /// The due day in days since 1970-01-01.
  var dueDay: Int?
  var version: Int64

  /// The message; `nil` if there are only bases.
  var message: CoverageTarget? {
    basisPoints == 0
      ? nil
      : .with {
        $0.organization = "organizations/\(organizationID)"
        $0.group = group
        $0.basisPoints = basisPoints
        $0.dueDate = dueDay.map { .day($0) }
      }
  }
}

/// The SQL of bases and targets.
enum CoverageStore {
  private static let base = """
    SELECT organization_id, occupation_group, day, people, qualifier, source FROM coverage_bases
    """

  static func newestBase(of organizationID: String, _ group: OccupationGroup) -> Query<StoredBase?>
  {
    .first(
      """
      \(base) WHERE organization_id = ?1 AND occupation_group = ?2 ORDER BY day DESC LIMIT 1
      """, [organizationID, group.rawValue], stored)
  }

  /// Returns the newest base of a group in each of several organizations.
  static func newestBases(
    of organizations: [String], _ group: OccupationGroup
  ) -> Query<[StoredBase]> {
    let list = InList(organizations, first: 2)
    return .all(
      """
      \(base) WHERE organization_id IN \(list.sql) AND occupation_group = ?1
        AND day = (
          SELECT max(b.day) FROM coverage_bases AS b
          WHERE b.organization_id = coverage_bases.organization_id AND b.occupation_group = ?1
        )
      """, [group.rawValue] + list.arguments, stored)
  }

  /// Returns the targets of a group in several organizations.
  static func targets(
    of organizations: [String], _ group: OccupationGroup
  ) -> Query<[StoredTarget]> {
    let list = InList(organizations, first: 2)
    return .all(
      "\(target) WHERE organization_id IN \(list.sql) AND occupation_group = ?1",
      [group.rawValue] + list.arguments, storedTarget)
  }

  static func bases(
    of organizationID: String, after group: SQLValue, _ day: SQLValue, limit: Int
  ) -> Query<[StoredBase]> {
    .all(
      """
      \(base) WHERE organization_id = ?1 AND (occupation_group, day) > (?2, ?3)
      ORDER BY occupation_group, day LIMIT ?4
      """, [organizationID, group, day, limit], stored)
  }

  static func target(of organizationID: String, _ group: OccupationGroup) -> Query<StoredTarget?> {
    .first(
      "\(target) WHERE organization_id = ?1 AND occupation_group = ?2",
      [organizationID, group.rawValue], storedTarget)
  }

  private static let target = """
    SELECT organization_id, occupation_group, basis_points, due_day, version FROM coverage_targets
    """

  @Sendable private static func storedTarget(_ row: Row) throws -> StoredTarget {
    StoredTarget(
      organizationID: try row.text("organization_id"),
      group: OccupationGroup(rawValue: try row.int32("occupation_group")),
      basisPoints: try row.int32("basis_points"), dueDay: try row.optionalInt("due_day"),
      version: try row.integer("version"))
  }

  /// Returns the statement that stores a base, replacing one of the same day.
  static func set(_ base: StoredBase) -> Statement {
    Statement(
      """
      INSERT INTO coverage_bases (
        organization_id, occupation_group, day, people, qualifier, source
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      ON CONFLICT (organization_id, occupation_group, day) DO UPDATE SET
        people = excluded.people, qualifier = excluded.qualifier, source = excluded.source
      """,
      [
        base.organizationID, base.group.rawValue, base.day, base.people, base.qualifier,
        base.source,
      ], expects: .exactly(1))
  }

  /// Returns the statement that stores a target, whose version is incremented and guards the bases,
  /// too.
  static func set(_ target: StoredTarget) -> Statement {
    Statement(
      """
      INSERT INTO coverage_targets (
        organization_id, occupation_group, basis_points, due_day, version
      ) VALUES (?1, ?2, ?3, ?4, ?5)
      ON CONFLICT (organization_id, occupation_group) DO UPDATE SET
        basis_points = excluded.basis_points, due_day = excluded.due_day,
        version = excluded.version
      WHERE coverage_targets.version = excluded.version - 1
      """,
      [
        target.organizationID, target.group.rawValue, target.basisPoints, target.dueDay,
        target.version,
      ], expects: .exactly(1))
  }

  @Sendable private static func stored(_ row: Row) throws -> StoredBase {
    StoredBase(
      organizationID: try row.text("organization_id"),
      group: OccupationGroup(rawValue: try row.int32("occupation_group")),
      day: try row.int("day"), people: try row.integer("people"),
      qualifier: try row.text("qualifier"), source: try row.text("source"))
  }
}

extension OutboxEvent {
  /// Returns the event of a changed base or target of an organization's group.
  static func changed(_ target: StoredTarget, newest: StoredBase?) throws -> OutboxEvent {
    var message = CoverageChanged()
    message.organization = "organizations/\(target.organizationID)"
    message.group = target.group
    message.base = newest?.message
    message.target = target.message
    return OutboxEvent(
      entity: "\(message.organization)/coverages/\(target.group.rawValue)",
      version: target.version, kind: MemberEventKind.coverageChanged.rawValue,
      payload: try message.wireBytes())
  }
}
