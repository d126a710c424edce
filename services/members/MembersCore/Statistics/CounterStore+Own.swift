import MembersV1
import Storage

/// The SQL of organizations' own member counts by state. They are updated in the commit of each
/// change, so that dissolving an organization can be guarded by them.
extension CounterStore {
  /// Adds to an organization's own count of a state. An addition to a dissolved organization fails
  /// the guard, so that the write is decided again and detects the dissolution.
  static func count(
    _ change: Int, state: MembershipState, organizationID: String, into commit: inout Commit
  ) {
    commit.run(
      Statement(
        """
        INSERT INTO membership_counts (organization_id, state, members) VALUES (?1, ?2, ?3)
        ON CONFLICT (organization_id, state)
        DO UPDATE SET members = membership_counts.members + excluded.members
        WHERE membership_counts.closed = 0 OR excluded.members < 0
        """, [organizationID, state.rawValue, change], expects: .exactly(1), adds: 2))
  }

  /// Closes an organization's counts for good; guarded by the absence of live members.
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

  /// Returns the number of live members managed by an organization.
  static func liveMembers(of organizationID: String) -> Query<Int64> {
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return .one(
      """
      SELECT CAST(coalesce(sum(members), 0) AS BIGINT) AS members FROM membership_counts
      WHERE organization_id = ?1 AND state IN (\(live))
      """, [organizationID]
    ) { try $0.integer("members") }
  }

  /// Returns the own counts of organizations.
  static func own(from first: String, through last: String) -> Query<[Cell: Int64]> {
    Query(
      """
      SELECT organization_id, state, members FROM membership_counts
      WHERE organization_id > ?1 AND organization_id <= ?2 AND members <> 0
      """, [first, last]
    ) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map { row in
          (
            Cell(organization: try row.text("organization_id"), state: try row.int32("state")),
            try row.integer("members")
          )
        })
    }
  }
}
