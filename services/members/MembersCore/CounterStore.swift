import MembersV1
import Storage

/// The SQL of the counters, kept in the transactions that change what they count, and of the counts
/// that they must equal.
enum CounterStore {
  /// New members of a group through a channel.
  struct EnrollmentRow: Sendable, Hashable {
    var group: OccupationGroup
    var channel: Channel
    var members: Int64
  }

  /// Counts a member who joined, at the organization that manages them.
  static func countEnrollment(_ member: StoredMember, day: Int, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO enrollment_counts (organization_id, day, occupation_group, channel, members)
      VALUES (?1, ?2, ?3, ?4, 1)
      ON CONFLICT (organization_id, day, occupation_group, channel)
      DO UPDATE SET members = enrollment_counts.members + 1
      """,
      [
        member.managingOrganizationID, day, member.group.rawValue, member.channel.rawValue,
      ], expects: .exactly(1))
  }

  /// Changes how many members of a state an organization manages. One more where it was dissolved
  /// fails the guard: the write is decided again, and finds it dissolved.
  static func count(
    _ change: Int, state: MembershipState, organizationID: String, into commit: inout Commit
  ) {
    commit.run(
      """
      INSERT INTO membership_counts (organization_id, state, members) VALUES (?1, ?2, ?3)
      ON CONFLICT (organization_id, state)
      DO UPDATE SET members = membership_counts.members + excluded.members
      WHERE membership_counts.closed = 0 OR excluded.members < 0
      """, [organizationID, state.rawValue, change], expects: .exactly(1))
  }

  /// Ends the counting of live members at an organization, for good: it has none, and nobody is
  /// counted there any more.
  static func close(_ organizationID: String, into commit: inout Commit) {
    for state in MembershipState.live {
      commit.run(
        """
        INSERT INTO membership_counts (organization_id, state, members, closed)
        VALUES (?1, ?2, 0, 1)
        ON CONFLICT (organization_id, state)
        DO UPDATE SET closed = 1 WHERE membership_counts.members = 0
        """, [organizationID, state.rawValue], expects: .exactly(1))
    }
  }

  /// How many live members an organization manages.
  static func liveMembers(of organizationID: String) -> Query<Int64> {
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return .one(
      """
      SELECT CAST(coalesce(sum(members), 0) AS BIGINT) AS members FROM membership_counts
      WHERE organization_id = ?1 AND state IN (\(live))
      """, [organizationID]
    ) { try $0.integer("members") }
  }

  /// New members of a subtree on the days, by group and channel.
  static func enrollments(of range: PathRange, days: ClosedRange<Int>) -> Query<[EnrollmentRow]> {
    enrollments(
      """
      SELECT c.occupation_group, c.channel, CAST(sum(c.members) AS BIGINT) AS members
      FROM organizations AS o JOIN enrollment_counts AS c ON c.organization_id = o.id
      WHERE o.path >= ?1 AND o.path < ?2 AND c.day >= ?3 AND c.day <= ?4
      GROUP BY c.occupation_group, c.channel ORDER BY c.occupation_group, c.channel
      """, range, days)
  }

  /// The same figures from the membership log: what the counters must say.
  static func recountEnrollments(
    of range: PathRange, days: ClosedRange<Int>
  ) -> Query<[EnrollmentRow]> {
    enrollments(
      """
      SELECT l.occupation_group, l.channel, count(*) AS members
      FROM membership_log AS l JOIN organizations AS o ON o.id = l.managing_organization_id
      WHERE o.path >= ?1 AND o.path < ?2 AND l.day >= ?3 AND l.day <= ?4
        AND l.action IN ('JOINED', 'REVIVED')
      GROUP BY l.occupation_group, l.channel ORDER BY l.occupation_group, l.channel
      """, range, days)
  }

  /// A counter, or what was counted again.
  struct Cell: Sendable, Hashable {
    var organization: String
    var day = 0
    var group: Int32 = 0
    var channel: Int32 = 0
    var state: Int32 = 0
  }

  /// The members of organizations by state, as the counters say and as a recount says.
  static func members(
    from first: String, through last: String
  ) -> (kept: Query<[Cell: Int64]>, counted: Query<[Cell: Int64]>) {
    (
      cells(
        """
        SELECT organization_id, state, members FROM membership_counts
        WHERE organization_id > ?1 AND organization_id <= ?2 AND members <> 0
        """, first, last),
      cells(
        """
        SELECT managing_organization_id AS organization_id, state, count(*) AS members
        FROM memberships
        WHERE managing_organization_id > ?1 AND managing_organization_id <= ?2
        GROUP BY managing_organization_id, state
        """, first, last)
    )
  }

  private static func cells(
    _ sql: String, _ first: String, _ last: String
  ) -> Query<[Cell: Int64]> {
    Query(sql, [first, last]) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map { row in
          (
            Cell(organization: try row.text("organization_id"), state: try row.int32("state")),
            try row.integer("members")
          )
        })
    }
  }

  /// The new members of organizations on the days before one, as the counters say.
  static func enrollments(
    from first: String, through last: String, before day: Int
  ) -> Query<[(Cell, Int64)]> {
    .all(
      """
      SELECT organization_id, day, occupation_group, channel, members FROM enrollment_counts
      WHERE organization_id > ?1 AND organization_id <= ?2 AND day < ?3 AND members <> 0
      """, [first, last, day]
    ) { row in (try cell(row), try row.integer("members")) }
  }

  /// Entries of the log in the order of their keys: joinings before a day are what
  /// `enrollment_counts` says.
  static func joinings(
    after place: LogPlace, before day: Int, limit: Int
  ) -> Query<[(place: LogPlace, cell: Cell?)]> {
    .all(
      """
      SELECT member_id, version, action, managing_organization_id AS organization_id, day,
        occupation_group, channel
      FROM membership_log WHERE (member_id, version) > (?1, ?2)
      ORDER BY member_id, version LIMIT ?3
      """, [place.member, place.version, limit]
    ) { row in
      let isJoining = ["JOINED", "REVIVED"].contains(try row.text("action"))
      let place = LogPlace(member: try row.text("member_id"), version: try row.integer("version"))
      let isBefore = try row.int("day") < day
      return (place, isJoining && isBefore ? try cell(row) : nil)
    }
  }

  /// Key of an entry of the membership log.
  struct LogPlace: Sendable {
    var member = ""
    var version: Int64 = 0
  }

  @Sendable private static func cell(_ row: Row) throws -> Cell {
    Cell(
      organization: try row.text("organization_id"), day: try row.int("day"),
      group: try row.int32("occupation_group"), channel: try row.int32("channel"))
  }

  /// Members of a subtree by state.
  static func members(of range: PathRange) -> Query<[MembershipState: Int64]> {
    members(
      """
      SELECT c.state, CAST(sum(c.members) AS BIGINT) AS members
      FROM organizations AS o JOIN membership_counts AS c ON c.organization_id = o.id
      WHERE o.path >= ?1 AND o.path < ?2 GROUP BY c.state HAVING sum(c.members) <> 0
      """, range)
  }

  /// The same figures from the memberships: what the counters must say.
  static func recountMembers(of range: PathRange) -> Query<[MembershipState: Int64]> {
    members(
      """
      SELECT m.state, count(*) AS members
      FROM memberships AS m JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE o.path >= ?1 AND o.path < ?2 GROUP BY m.state
      """, range)
  }

  private static func enrollments(
    _ sql: String, _ range: PathRange, _ days: ClosedRange<Int>
  ) -> Query<[EnrollmentRow]> {
    .all(sql, [range.first, range.end, days.lowerBound, days.upperBound]) { row in
      EnrollmentRow(
        group: OccupationGroup(rawValue: try row.int32("occupation_group")),
        channel: Channel(rawValue: try row.int32("channel")),
        members: try row.integer("members"))
    }
  }

  private static func members(
    _ sql: String, _ range: PathRange
  ) -> Query<[MembershipState: Int64]> {
    Query(sql, [range.first, range.end]) { rows in
      var counts: [MembershipState: Int64] = [:]
      for row in rows {
        counts[MembershipState(rawValue: try row.int32("state"))] = try row.integer("members")
      }
      return counts
    }
  }
}
