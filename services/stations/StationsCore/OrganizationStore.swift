import MembersV1
import ServiceKit
import Storage

/// The SQL of the organization tree as needed for scopes, maintained from the members' feed.
enum OrganizationStore {
  /// Whether an organization is known here, and whether it is within a scope.
  struct Place: Sendable {
    var isKnown: Bool
    var isWithin: Bool
  }

  static func place(of organization: String, in scope: Caller.Scope) -> Query<Place> {
    .one(
      """
      SELECT
        (SELECT count(*) FROM organization WHERE id = ?1) AS known,
        (SELECT count(*) FROM organization_ancestor
         WHERE organization_id = ?1 AND ancestor_id = ?2) AS within
      """, [organization, scope.sqlKey]
    ) { row in
      // The caller's own organization exists even if the feed has not delivered it yet.
      let isOwn = scope == .subtree(organization)
      return Place(
        isKnown: try row.boolean("known") || isOwn,
        isWithin: try row.boolean("within") || isOwn || scope == .wholeTree)
    }
  }

  /// Stores an organization and recomputes the ancestors of its subtree.
  ///
  /// Events of different organizations arrive in any order: a child may precede its parent, and two
  /// moves may temporarily form a cycle. So ancestors are derived from the parents stored at this
  /// moment, never from earlier ancestors, and `UNION` terminates on a cycle.
  static func store(
    _ organization: String, parent: String, state: OrganizationState, in commit: inout Commit
  ) {
    commit.run(
      """
      INSERT INTO organization (id, parent_id, state) VALUES (?1, ?2, ?3)
      ON CONFLICT (id) DO UPDATE SET parent_id = excluded.parent_id, state = excluded.state
      """, [organization, parent, state.rawValue], expects: .exactly(1))
    commit.run(
      """
      DELETE FROM organization_ancestor WHERE organization_id IN (
        WITH RECURSIVE below (id) AS (
          SELECT CAST(?1 AS TEXT)
          UNION SELECT child.id FROM organization AS child JOIN below ON child.parent_id = below.id
        )
        SELECT id FROM below
      )
      """, [organization])
    commit.run(
      """
      INSERT INTO organization_ancestor (organization_id, ancestor_id)
      WITH RECURSIVE below (id) AS (
        SELECT CAST(?1 AS TEXT)
        UNION SELECT child.id FROM organization AS child JOIN below ON child.parent_id = below.id
      ),
      above (organization_id, ancestor_id) AS (
        SELECT id, id FROM below
        UNION SELECT above.organization_id, parent.parent_id
        FROM above JOIN organization AS parent ON parent.id = above.ancestor_id
        WHERE parent.parent_id <> ''
      )
      SELECT organization_id, ancestor_id FROM above
      """, [organization])
  }
}
