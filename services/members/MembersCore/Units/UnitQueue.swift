import MembersV1
import ServiceKit
import Storage

/// The SQL of the queue of members whose unit must be determined again.
enum UnitQueue {
  struct Entry: Sendable {
    var memberID: String
    var version: Int64
    /// The unit in which the member is counted.
    var unitID: String?
    var known: KnownMember?
  }

  /// Queues a member, unless neither state has work details.
  static func add(_ before: StoredMember?, _ after: StoredMember, into commit: inout Commit) {
    guard after.details != nil || before?.details != nil else { return }
    commit.run(
      "INSERT INTO unit_queue (member_id, version) VALUES (?1, ?2)", [after.id, after.version],
      expects: .exactly(1))
  }

  /// Queues many moved members.
  static func add(_ moved: [StoredMember], into commit: inout Commit) {
    commit.insert(
      into: "unit_queue", ["member_id", "version"],
      moved.filter { $0.details != nil }.map { [$0.id, $0.version] })
  }

  static func waiting(limit: Int) -> Query<[Entry]> {
    .all(
      """
      \(MemberStore.selection), q.member_id AS queued_id, q.version AS queued_version, c.unit_id
      FROM (
        SELECT member_id, version FROM unit_queue ORDER BY member_id, version LIMIT ?1
      ) AS q
      LEFT JOIN memberships AS m ON m.id = q.member_id
      LEFT JOIN persons AS p ON p.id = q.member_id
      LEFT JOIN organizations AS o ON o.id = m.managing_organization_id
      LEFT JOIN unit_members AS c ON c.member_id = q.member_id
      ORDER BY q.member_id, q.version
      """, [limit]
    ) { row in
      Entry(
        memberID: try row.text("queued_id"), version: try row.integer("queued_version"),
        unitID: try row.optionalText("unit_id"),
        known: try row.isNull("id") ? nil : try MemberStore.known(row))
    }
  }

  static func takeAway(_ entries: [Entry], _ commit: inout Commit) {
    for entry in entries {
      commit.run(
        "DELETE FROM unit_queue WHERE member_id = ?1 AND version = ?2",
        [entry.memberID, entry.version], expects: .exactly(1))
    }
  }

  /// Returns the statement that records the unit in which a member is counted, `nil` for none;
  /// guarded by the one in which they were.
  static func count(_ member: String, from former: String?, in unit: String?) -> Statement {
    switch (former, unit) {
    case (let former?, let unit?):
      Statement(
        "UPDATE unit_members SET unit_id = ?3 WHERE member_id = ?1 AND unit_id = ?2",
        [member, former, unit], expects: .exactly(1))
    case (let former?, nil):
      Statement(
        "DELETE FROM unit_members WHERE member_id = ?1 AND unit_id = ?2", [member, former],
        expects: .exactly(1))
    case (nil, let unit):
      Statement(
        """
        INSERT INTO unit_members (member_id, unit_id) VALUES (?1, ?2)
        ON CONFLICT (member_id) DO NOTHING
        """, [member, unit], expects: .exactly(1))
    }
  }

  /// Returns the members counted in a unit.
  static func members(of unit: String, limit: Int) -> Query<[KnownMember]> {
    .all(
      """
      \(MemberStore.selection) FROM unit_members AS c
      JOIN memberships AS m ON m.id = c.member_id
      JOIN persons AS p ON p.id = c.member_id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE c.unit_id = ?1 ORDER BY c.member_id LIMIT ?2
      """, [unit, limit], MemberStore.known)
  }
}
