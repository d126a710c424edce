import MembersV1
import ServiceKit
import Storage

/// The SQL of organizations whose members are to be counted in another township, because the
/// organizations were moved in the tree, or again, because their township came to another region,
/// whose threshold their units may have reached.
///
/// A move queues its organizations in its own commit. Folds queue their members, a bounded number
/// at a time, so that a move of many members neither takes long nor blocks other writers.
enum UnitMoves {
  /// The number of members queued per commit.
  static let membersMax = 1_000

  /// An organization of which the members up to `after` are queued.
  struct Entry: Sendable {
    var organizationID: String
    /// The number of the last queued member; empty for none.
    var after: String
  }

  /// Queues the organizations of a subtree; one that is queued already starts anew.
  static func add(subtree range: PathRange, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO unit_moves (organization_id, after_number)
      SELECT id, '' FROM organizations WHERE path >= ?1 AND path < ?2
      ON CONFLICT (organization_id) DO UPDATE SET after_number = ''
      """, [range.first, range.end])
  }

  static let next = Query<Entry?>.first(
    """
    SELECT organization_id, after_number FROM unit_moves ORDER BY organization_id LIMIT 1
    """, []
  ) { row in
    Entry(
      organizationID: try row.text("organization_id"), after: try row.text("after_number"))
  }

  /// Returns the following members of an organization, in any state.
  static func members(
    of entry: Entry
  ) -> Query<[(id: String, number: String, hasDetails: Bool)]> {
    .all(
      """
      SELECT m.id, m.member_number, CASE WHEN m.details IS NULL THEN 0 ELSE 1 END AS has_details
      FROM memberships AS m
      WHERE m.managing_organization_id = ?1 AND m.member_number > ?2
      ORDER BY m.member_number LIMIT ?3
      """, [entry.organizationID, entry.after, membersMax]
    ) { row in
      (try row.text("id"), try row.text("member_number"), try row.integer("has_details") != 0)
    }
  }

  /// Removes an organization whose members are all queued, or records the last of those that are.
  static func advance(_ entry: Entry, to number: String?, into commit: inout Commit) {
    let key = [entry.organizationID, entry.after]
    guard let number else {
      commit.run(
        "DELETE FROM unit_moves WHERE organization_id = ?1 AND after_number = ?2", key,
        expects: .exactly(1))
      return
    }
    commit.run(
      """
      UPDATE unit_moves SET after_number = ?3 WHERE organization_id = ?1 AND after_number = ?2
      """, key + [number], expects: .exactly(1))
  }
}

extension StoredOrganization {
  /// Returns whether the units of a township may have another threshold elsewhere: counties, cities
  /// and provinces have settings.
  func changesThreshold(in region: String) -> Bool {
    level == .township && region.prefix(6) != regionCode.prefix(6)
  }
}

extension UnitFold {
  /// Queues some members of a moved organization.
  ///
  /// - Returns: The number of processed entries; 0 if no organization was moved.
  func queueMoved() async throws -> Int {
    let now = now
    // Above every version of a membership: a fold that decides by the former place does not take
    // these entries away.
    let mark = 1 << 62 | (Int64(ids.next().prefix(15), radix: 16) ?? 0)
    return try await database.write {
      .read(UnitMoves.next) { entry in
        guard let entry else { return .reply(0) }
        return .read(UnitMoves.members(of: entry)) { members in
          var commit = Commit(at: now)
          commit.insert(
            into: "unit_queue", ["member_id", "version"],
            members.filter { $0.hasDetails }.map { [$0.id, mark] })
          UnitMoves.advance(
            entry, to: members.count < UnitMoves.membersMax ? nil : members.last?.number,
            into: &commit)
          return .commit(commit, 1)
        }
      }
    }
  }
}
