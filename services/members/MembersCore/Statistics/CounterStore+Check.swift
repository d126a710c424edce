import MembersV1
import Storage

/// The SQL of recounts: own counters against counts, and subtree counters against the sums of their
/// organizations' own counters.
extension CounterStore {
  /// A counter, or the key of a recount.
  struct Cell: Sendable, Hashable {
    var organization: String
    var day = 0
    var group: Int32 = 0
    var channel: Int32 = 0
    var campaign = ""
    /// The membership state; 0 for new members.
    var state: Int32 = 0
  }

  /// Returns the members of organizations by state, from the counters and from a recount.
  static func members(
    from first: String, through last: String
  ) -> (kept: Query<[Cell: Int64]>, counted: Query<[Cell: Int64]>) {
    (
      cells(
        """
        SELECT organization_id, state, occupation_group, channel,
          CAST(sum(members) AS BIGINT) AS members
        FROM (
          SELECT organization_id, state, occupation_group, channel, own AS members
          FROM subtree_members WHERE organization_id > ?1 AND organization_id <= ?2
          UNION ALL
          SELECT organization_id, state, occupation_group, channel, members
          FROM count_changes WHERE organization_id > ?1 AND organization_id <= ?2
        ) AS kept
        GROUP BY organization_id, state, occupation_group, channel HAVING sum(members) <> 0
        """, first, last),
      cells(
        """
        SELECT managing_organization_id AS organization_id, state, occupation_group, channel,
          count(*) AS members
        FROM memberships
        WHERE managing_organization_id > ?1 AND managing_organization_id <= ?2
        GROUP BY managing_organization_id, state, occupation_group, channel
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
            Cell(
              organization: try row.text("organization_id"),
              group: try row.int32("occupation_group"), channel: try row.int32("channel"),
              state: try row.int32("state")),
            try row.integer("members")
          )
        })
    }
  }

  /// Returns the new members of organizations before a day, from the counters.
  static func enrollments(
    from first: String, through last: String, before day: Int
  ) -> Query<[(Cell, Int64)]> {
    .all(
      """
      SELECT organization_id, day, occupation_group, channel, campaign,
        CAST(sum(members) AS BIGINT) AS members
      FROM (
        SELECT organization_id, day, occupation_group, channel, campaign, own AS members
        FROM subtree_enrollments
        WHERE organization_id > ?1 AND organization_id <= ?2 AND day < ?3
        UNION ALL
        SELECT organization_id, day, occupation_group, channel, campaign, joinings AS members
        FROM count_changes
        WHERE organization_id > ?1 AND organization_id <= ?2 AND day < ?3
      ) AS kept
      GROUP BY organization_id, day, occupation_group, channel, campaign
      HAVING sum(members) <> 0
      """, [first, last, day]
    ) { row in (try cell(row), try row.integer("members")) }
  }

  /// Returns the counters of a subtree that differ from the sum of its organizations' own. One
  /// statement, which also finds the subtree's place: a concurrent move changes that.
  ///
  /// - Parameter organizationID: The root of the subtree; empty for the whole tree.
  /// - Returns: The difference per counter.
  static func unequalSums(of organizationID: String) -> Query<[(Cell, Int64)]> {
    let root = "(SELECT coalesce(max(path), '') FROM organizations WHERE id = ?1)"
    let isBelow = "o.path >= \(root) AND o.path < \(root) || 'g'"
    return .all(
      """
      SELECT ?1 AS organization_id, state, day, occupation_group, channel, campaign,
        CAST(sum(members) AS BIGINT) AS members
      FROM (
        SELECT c.state, 0 AS day, c.occupation_group, c.channel, '' AS campaign, c.own AS members
        FROM organizations AS o JOIN subtree_members AS c ON c.organization_id = o.id
        WHERE \(isBelow)
        UNION ALL
        SELECT state, 0, occupation_group, channel, '', -members FROM subtree_members
        WHERE organization_id = ?1
        UNION ALL
        SELECT 0, c.day, c.occupation_group, c.channel, c.campaign, c.own
        FROM organizations AS o JOIN subtree_enrollments AS c ON c.organization_id = o.id
        WHERE \(isBelow)
        UNION ALL
        SELECT 0, day, occupation_group, channel, campaign, -members FROM subtree_enrollments
        WHERE organization_id = ?1
      ) AS summed
      GROUP BY state, day, occupation_group, channel, campaign HAVING sum(members) <> 0
      """, [organizationID]
    ) { row in
      var found = try cell(row)
      found.state = try row.int32("state")
      return (found, try row.integer("members"))
    }
  }

  /// Returns log entries in key order, with the cell of each joining before a day; their counts
  /// must equal `subtree_enrollments`.
  static func joinings(
    after place: LogPlace, before day: Int, limit: Int
  ) -> Query<[(place: LogPlace, cell: Cell?)]> {
    .all(
      """
      SELECT member_id, version, action, managing_organization_id AS organization_id, day,
        occupation_group, channel, campaign
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

  /// The key of a log entry.
  struct LogPlace: Sendable {
    var member = ""
    var version: Int64 = 0
  }

  @Sendable private static func cell(_ row: Row) throws -> Cell {
    Cell(
      organization: try row.text("organization_id"), day: try row.int("day"),
      group: try row.int32("occupation_group"), channel: try row.int32("channel"),
      campaign: try row.text("campaign"))
  }
}
