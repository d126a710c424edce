import GoogleProtobuf
import GoogleType
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// An entry of a membership's append-only log, from which counts and states can be recomputed.
struct MembershipLogEntry: Sendable {
  enum Action: String, Sendable, CaseIterable {
    case joined = "JOINED"
    case revived = "REVIVED"
    case placed = "PLACED"
    case pooled = "POOLED"
    case transferred = "TRANSFERRED"
    case retained = "RETAINED"
    case restored = "RESTORED"
    case left = "LEFT"
    case expelled = "EXPELLED"
    case died = "DIED"
    case merged = "MERGED"
    case unmerged = "UNMERGED"
    case updated = "UPDATED"
    case erased = "ERASED"
  }

  var action: Action
  var from: MembershipState
  /// The changed membership.
  var member: StoredMember
  /// The day of the change in China, in days since 1970-01-01.
  var day: Int
  var enrollmentID: String?
  var retention: RetentionCause = .unspecified
  var actor: String
  /// The time in microseconds since 1970.
  var created: Int64

  static let columns = [
    "member_id", "version", "action", "from_state", "to_state", "organization_id",
    "managing_organization_id", "occupation_group", "channel", "campaign", "day",
    "enrollment_id", "actor", "created", "retention",
  ]

  /// The values of `columns`.
  var values: [any SQLValueConvertible] {
    [
      member.id, member.version, action.rawValue, from.rawValue, member.state.rawValue,
      member.organizationID, member.managingOrganizationID, member.group.rawValue,
      member.channel.rawValue, member.campaign, day, enrollmentID, actor, created,
      retention.rawValue,
    ]
  }

  var insert: Statement {
    Statement(
      """
      INSERT INTO membership_log (
        member_id, version, action, from_state, to_state, organization_id,
        managing_organization_id, occupation_group, channel, campaign, day, enrollment_id, actor,
        created, retention
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
      """, values, expects: .exactly(1))
  }
}

/// The queries of the membership log.
enum MembershipLog {
  /// Returns a page of a membership's entries, oldest first.
  static func page(
    of member: String, after version: SQLValue, limit: Int
  ) -> Query<[MembershipLogRecord]> {
    .all(
      """
      SELECT version, action, from_state, to_state, organization_id, managing_organization_id,
        occupation_group, day, actor, created, retention
      FROM membership_log WHERE member_id = ?1 AND version > ?2 ORDER BY version LIMIT ?3
      """, [member, version, limit], record)
  }

  /// Returns the inconsistent memberships in a range of identifiers, i.e. those without exactly one
  /// log entry per version, consecutive states, and a last entry that matches the row, or with an
  /// away report or a possible duplicate at another organization; and the last identifier of the
  /// range, `nil` at the end.
  static func unfolded(after id: String, limit: Int) -> (
    last: Query<String?>, wrong: Query<[String]>
  ) {
    let page = "SELECT m.id FROM memberships AS m WHERE m.id > ?1 ORDER BY m.id LIMIT ?2"
    return (
      .one("SELECT max(p.id) AS last FROM (\(page)) AS p", [id, limit]) { row in
        try row.optionalText("last")
      },
      .all(
        """
        SELECT m.id FROM (\(page)) AS p JOIN memberships AS m ON m.id = p.id
        LEFT JOIN membership_log AS l ON l.member_id = m.id AND l.version = m.version
        WHERE l.member_id IS NULL OR l.to_state <> m.state
          OR l.managing_organization_id <> m.managing_organization_id
          OR l.organization_id <> m.organization_id
          OR (SELECT count(*) FROM membership_log AS x WHERE x.member_id = m.id) <> m.version
          OR EXISTS (
            SELECT x.version FROM membership_log AS x
            JOIN membership_log AS y ON y.member_id = x.member_id AND y.version = x.version + 1
            WHERE x.member_id = m.id AND y.from_state <> x.to_state
          )
          OR EXISTS (
            SELECT a.id FROM away_reports AS a
            WHERE a.member_id = m.id AND a.managing_organization_id <> m.managing_organization_id
          )
          OR EXISTS (
            SELECT d.id FROM duplicate_cases AS d
            WHERE d.person_id = m.id AND d.organization_id <> m.managing_organization_id
          )
        ORDER BY m.id
        """, [id, limit]
      ) { row in try row.text("id") }
    )
  }

  @Sendable private static func record(_ row: Row) throws -> MembershipLogRecord {
    let action = MembershipLogEntry.Action(rawValue: try row.text("action"))
    var record = MembershipLogRecord()
    record.version = try row.integer("version")
    record.action = action?.message ?? .unspecified
    record.fromState = MembershipState(rawValue: try row.int32("from_state"))
    record.toState = MembershipState(rawValue: try row.int32("to_state"))
    record.organization = "organizations/\(try row.text("organization_id"))"
    record.managingOrganization = "organizations/\(try row.text("managing_organization_id"))"
    record.group = OccupationGroup(rawValue: try row.int32("occupation_group"))
    record.date = .day(try row.int("day"))
    record.actor = try row.text("actor")
    record.createTime = Timestamp(microseconds: try row.integer("created"))
    record.retentionCause = RetentionCause(rawValue: try row.int32("retention"))
    return record
  }
}

extension MembershipLogEntry.Action {
  var message: MembershipAction {
    switch self {
    case .joined: .joined
    case .revived: .revived
    case .placed: .placed
    case .pooled: .pooled
    case .transferred: .transferred
    case .retained: .retained
    case .restored: .restored
    case .left: .left
    case .expelled: .expelled
    case .died: .died
    case .merged: .merged
    case .unmerged: .unmerged
    case .updated: .updated
    case .erased: .erased
    }
  }
}

extension GoogleType.Date {
  /// Returns the civil date a number of days after 1970-01-01.
  static func day(_ days: Int) -> GoogleType.Date {
    let civil = ChinaDate(daysSinceEpoch: days)
    return .with {
      $0.year = Int32(civil.year)
      $0.month = Int32(civil.month)
      $0.day = Int32(civil.day)
    }
  }
}
