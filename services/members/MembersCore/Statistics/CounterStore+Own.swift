import MembersV1
import Storage

/// The SQL of what an organization has itself, by state: kept in each change's own commit, so that
/// dissolving it can be guarded by it.
extension CounterStore {
  /// Changes how many members of a state an organization manages. One more where it was dissolved
  /// fails the guard: the write is decided again, and finds it dissolved.
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

  /// What organizations have themselves, as those counters say.
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
