import MembersV1
import Storage

/// The SQL of the counters.
///
/// A counter that every enrollment of a province updates would be one contended row: the groups of
/// commits of several replicas would wait for each other, or deadlock over the order of their
/// organizations. Therefore a change of a membership appends a row of its own in its commit, and
/// ``CounterFold`` asynchronously adds such rows to the counters of every ancestor. Readers combine
/// the counters with the unfolded rows in one snapshot. The result is always exact, and a province
/// takes a few adjacent rows.
enum CounterStore {
  /// The new members of one combination of dimensions.
  struct EnrollmentRow: Sendable, Hashable {
    var day = 0
    var group = OccupationGroup.unspecified
    var channel = Channel.unspecified
    var campaign = ""
    var members: Int64 = 0
  }

  /// The dimensions of new members: columns of the counters, in the order of replies.
  enum Dimension: String, Sendable, CaseIterable {
    case day
    case group = "occupation_group"
    case channel
    case campaign
  }

  /// The members of one state, group and channel.
  struct MemberRow: Sendable, Hashable {
    var state: MembershipState
    var group: OccupationGroup
    var channel: Channel
    var members: Int64
  }

  /// Appends the effect of a change of a membership on the counts.
  ///
  /// - Parameters:
  ///   - before: `nil` for a new membership.
  ///   - isJoining: Whether it counts as a new member of the day.
  static func change(
    from before: StoredMember?, to after: StoredMember, isJoining: Bool, day: Int,
    into commit: inout Commit
  ) {
    let stays = before.map { $0.countsAs(after) } ?? false
    guard !stays || isJoining else { return }
    if let before { append(before, after.version, part: 0, day, -1, 0, into: &commit) }
    append(after, after.version, part: 1, day, 1, isJoining ? 1 : 0, into: &commit)
  }

  /// Appends the effect of moving many members to another organization.
  static func move(
    _ members: [StoredMember], to after: [StoredMember], day: Int, into commit: inout Commit
  ) {
    let rows = zip(members, after).flatMap { before, after in
      [
        values(before, after.version, part: 0, day, -1, 0),
        values(after, after.version, part: 1, day, 1, 0),
      ]
    }
    commit.insert(into: "count_changes", columns, rows)
  }

  private static let columns = [
    "member_id", "version", "part", "organization_id", "state", "occupation_group", "channel",
    "campaign", "day", "members", "joinings",
  ]

  private static func append(
    _ member: StoredMember, _ version: Int64, part: Int, _ day: Int, _ members: Int,
    _ joinings: Int, into commit: inout Commit
  ) {
    commit.run(
      insertion, values(member, version, part: part, day, members, joinings), expects: .exactly(1))
  }

  private static let insertion = """
    INSERT INTO count_changes (\(columns.joined(separator: ", ")))
    VALUES \(Commit.places(rows: 1, columns: columns.count))
    """

  private static func values(
    _ member: StoredMember, _ version: Int64, part: Int, _ day: Int, _ members: Int,
    _ joinings: Int
  ) -> [any SQLValueConvertible] {
    [
      member.id, version, part, member.managingOrganizationID, member.state.rawValue,
      member.group.rawValue, member.channel.rawValue, member.campaign, day, members, joinings,
    ]
  }

  /// Returns the new members of a subtree in a range of days by dimensions.
  static func enrollments(
    of range: PathRange, days: ClosedRange<Int>,
    by dimensions: [Dimension] = [.group, .channel], limit: Int? = nil
  ) -> Query<[EnrollmentRow]> {
    enrollments(
      """
      SELECT day, occupation_group, channel, campaign, members FROM subtree_enrollments
      WHERE organization_id = ?5 AND day >= ?3 AND day <= ?4
      UNION ALL
      SELECT c.day, c.occupation_group, c.channel, c.campaign, c.joinings AS members
      FROM count_changes AS c JOIN organizations AS o ON o.id = c.organization_id
      WHERE o.path >= ?1 AND o.path < ?2 AND c.day >= ?3 AND c.day <= ?4 AND c.joinings <> 0
      """, range, days, [range.organizationID], dimensions, limit: limit)
  }

  /// Returns the same numbers from the membership log, which the counters must match.
  static func recountEnrollments(
    of range: PathRange, days: ClosedRange<Int>,
    by dimensions: [Dimension] = [.group, .channel]
  ) -> Query<[EnrollmentRow]> {
    enrollments(
      """
      SELECT l.day, l.occupation_group, l.channel, l.campaign, 1 AS members
      FROM membership_log AS l JOIN organizations AS o ON o.id = l.managing_organization_id
      WHERE o.path >= ?1 AND o.path < ?2 AND l.day >= ?3 AND l.day <= ?4
        AND l.action IN ('JOINED', 'REVIVED')
      """, range, days, [], dimensions)
  }

  private static func enrollments(
    _ rows: String, _ range: PathRange, _ days: ClosedRange<Int>, _ more: [String],
    _ dimensions: [Dimension], limit: Int? = nil
  ) -> Query<[EnrollmentRow]> {
    let columns = Dimension.allCases.filter(dimensions.contains).map(\.rawValue)
    let list = columns.joined(separator: ", ")
    let arguments: [any SQLValueConvertible] =
      [range.first, range.end, days.lowerBound, days.upperBound] + more
    return .all(
      """
      SELECT \(columns.map { "\($0), " }.joined()) CAST(sum(members) AS BIGINT) AS members
      FROM (\(rows)) AS counted
      GROUP BY \(list) HAVING sum(members) <> 0 ORDER BY \(list)
      \(limit.map { "LIMIT \($0)" } ?? "")
      """, arguments
    ) { row in
      var found = EnrollmentRow(members: try row.integer("members"))
      for dimension in dimensions {
        switch dimension {
        case .day: found.day = try row.int("day")
        case .group:
          found.group = OccupationGroup(rawValue: try row.int32("occupation_group"))
        case .channel: found.channel = Channel(rawValue: try row.int32("channel"))
        case .campaign: found.campaign = try row.text("campaign")
        }
      }
      return found
    }
  }

  /// Returns the members of a subtree by state, group and channel.
  static func memberRows(of range: PathRange) -> Query<[MemberRow]> {
    .all(
      """
      SELECT state, occupation_group, channel, CAST(sum(members) AS BIGINT) AS members FROM (
        SELECT state, occupation_group, channel, members FROM subtree_members
        WHERE organization_id = ?3
        UNION ALL
        SELECT c.state, c.occupation_group, c.channel, c.members
        FROM count_changes AS c JOIN organizations AS o ON o.id = c.organization_id
        WHERE o.path >= ?1 AND o.path < ?2 AND c.members <> 0
      ) AS counted
      GROUP BY state, occupation_group, channel HAVING sum(members) <> 0
      """, [range.first, range.end, range.organizationID], memberRow)
  }

  @Sendable private static func memberRow(_ row: Row) throws -> MemberRow {
    MemberRow(
      state: MembershipState(rawValue: try row.int32("state")),
      group: OccupationGroup(rawValue: try row.int32("occupation_group")),
      channel: Channel(rawValue: try row.int32("channel")),
      members: try row.integer("members"))
  }

  /// Returns the members of the subtrees of several organizations directly below one, by state,
  /// group and channel.
  ///
  /// - Parameter range: The subtree of the organization above them.
  static func memberRows(
    of children: [String], below range: PathRange
  ) -> Query<[String: [MemberRow]]> {
    let list = InList(children, first: 3)
    // The identifier of the child whose subtree an organization is in, cut out of its path.
    let child = "substr(o.path, \(range.first.utf8.count + 1), 32)"
    return Query(
      """
      SELECT id, state, occupation_group, channel, CAST(sum(members) AS BIGINT) AS members FROM (
        SELECT organization_id AS id, state, occupation_group, channel, members
        FROM subtree_members WHERE organization_id IN \(list.sql)
        UNION ALL
        SELECT \(child) AS id, c.state, c.occupation_group, c.channel, c.members
        FROM count_changes AS c JOIN organizations AS o ON o.id = c.organization_id
        WHERE o.path >= ?1 AND o.path < ?2 AND c.members <> 0
      ) AS counted
      GROUP BY id, state, occupation_group, channel HAVING sum(members) <> 0
      """, [range.first, range.end] + list.arguments
    ) { rows in
      try rows.reduce(into: [:]) { found, row in
        found[try row.text("id"), default: []].append(try memberRow(row))
      }
    }
  }

  /// Returns the members of a subtree by state.
  static func members(of range: PathRange) -> Query<[MembershipState: Int64]> {
    memberRows(of: range).map { rows in
      rows.reduce(into: [:]) { $0[$1.state, default: 0] += $1.members }
    }
  }

  /// Returns the same numbers from the memberships, which the counters must match.
  static func recountMembers(of range: PathRange) -> Query<[MembershipState: Int64]> {
    Query(
      """
      SELECT m.state, count(*) AS members
      FROM memberships AS m JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE o.path >= ?1 AND o.path < ?2 GROUP BY m.state
      """, [range.first, range.end]
    ) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map {
          (MembershipState(rawValue: try $0.int32("state")), try $0.integer("members"))
        })
    }
  }
}

extension StoredMember {
  /// Returns whether both memberships count for the same counter.
  fileprivate func countsAs(_ other: StoredMember) -> Bool {
    managingOrganizationID == other.managingOrganizationID && state == other.state
      && group == other.group && channel == other.channel
  }
}

extension PathRange {
  /// The organization whose counters are those of the subtree: its root, or '' for the whole tree.
  var organizationID: String { String(first.suffix(32)) }
}
