import MembersV1
import Storage

/// The statements that change organizations, each guarded by the state on which it was decided.
extension OrganizationStore {
  /// Inserts an organization and increments its parent's child count.
  static func insert(
    _ organization: StoredOrganization, below parent: StoredOrganization?,
    into commit: inout Commit
  ) {
    if let parent { commit.run(adopt(by: parent)) }
    commit.run(
      """
      INSERT INTO organizations (
        id, external_id, path, parent_id, display_name, kind, level, region_code,
        occupation_groups, credit_code, employer_credit_codes, takes_individuals, state, version,
        created, industry_group, author, opened_day
      ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18
      )
      ON CONFLICT (external_id) DO NOTHING
      """,
      [
        organization.id, organization.externalID, organization.path, organization.parentID,
        organization.displayName, organization.kind.rawValue, organization.level.rawValue,
        organization.regionCode, bits(of: organization.groups), organization.creditCode,
        organization.employerCreditCodes.joined(separator: " "), organization.takesIndividuals,
        organization.state.rawValue, organization.version, organization.created,
        organization.industryGroup, organization.author, organization.openedDay,
      ], expects: .exactly(1))
    insertEmployers(of: organization, into: &commit)
  }

  private static func insertEmployers(
    of organization: StoredOrganization, into commit: inout Commit
  ) {
    for code in organization.employerCreditCodes {
      commit.run(
        "INSERT INTO organization_employers (credit_code, organization_id) VALUES (?1, ?2)",
        [code, organization.id], expects: .exactly(1))
      // Guarded by the absence of another live union's claim.
      commit.run(
        """
        INSERT INTO employer_claims (credit_code, organization_id) VALUES (?1, ?2)
        ON CONFLICT (credit_code) DO NOTHING
        """, [code, organization.id], expects: .exactly(1))
    }
  }

  private static func releaseEmployers(of id: String) -> Statement {
    Statement("DELETE FROM employer_claims WHERE organization_id = ?1", [id])
  }

  /// Returns whether another live organization covers any of the employers.
  static func isClaimed(_ employers: [String], besides id: String) -> Query<Bool> {
    guard !employers.isEmpty else { return .constant(false) }
    let list = InList(employers, first: 2)
    return .exists(
      """
      SELECT credit_code FROM employer_claims
      WHERE organization_id <> ?1 AND credit_code IN \(list.sql)
      """, [id] + list.arguments)
  }

  /// Updates the fields of an organization.
  ///
  /// - Parameter after: The changed organization, with its version incremented. Its path is changed
  ///   only by ``move(_:to:into:)``, its child count only by its children.
  static func update(
    _ after: StoredOrganization, from before: StoredOrganization, into commit: inout Commit
  ) {
    commit.run(
      """
      UPDATE organizations SET display_name = ?3, region_code = ?4, occupation_groups = ?5,
        credit_code = ?6, employer_credit_codes = ?7, takes_individuals = ?8, state = ?9,
        industry_group = ?10, opened_day = ?11, closed_day = ?12, version = ?2
      WHERE id = ?1 AND version = ?2 - 1
      """,
      [
        after.id, after.version, after.displayName, after.regionCode, bits(of: after.groups),
        after.creditCode, after.employerCreditCodes.joined(separator: " "),
        after.takesIndividuals, after.state.rawValue, after.industryGroup, after.openedDay,
        after.closedDay,
      ], expects: .exactly(1))
    guard after.employerCreditCodes != before.employerCreditCodes else { return }
    commit.run("DELETE FROM organization_employers WHERE organization_id = ?1", [after.id])
    commit.run(releaseEmployers(of: after.id))
    insertEmployers(of: after, into: &commit)
  }

  /// Increments the child count of an organization that has not moved, has the same region, and is
  /// not dissolved.
  private static func adopt(by parent: StoredOrganization) -> Statement {
    Statement(
      """
      UPDATE organizations SET child_count = child_count + 1
      WHERE id = ?1 AND path = ?2 AND region_code = ?3
        AND state <> \(OrganizationState.dissolved.rawValue)
      """, [parent.id, parent.path, parent.regionCode], expects: .exactly(1))
  }

  /// A guard that detects a concurrent change of an organization's region.
  static func isStillRegion(of organization: StoredOrganization) -> Statement {
    Statement(
      "UPDATE organizations SET version = version WHERE id = ?1 AND region_code = ?2",
      [organization.id, organization.regionCode], expects: .exactly(1))
  }

  /// Returns the region of an organization directly below one that does not lie within a region.
  static func regionBelow(_ id: String, outside region: String) -> Query<String?> {
    .first(
      "SELECT region_code FROM organizations WHERE \(areOutside) LIMIT 1",
      outside(id, region)
    ) { try $0.text("region_code") }
  }

  /// A guard that detects an organization that was concurrently added outside a region.
  static func noneBelow(_ id: String, outside region: String) -> Statement {
    Statement(
      "UPDATE organizations SET version = version WHERE \(areOutside)", outside(id, region),
      expects: .exactly(0))
  }

  private static let areOutside = """
    parent_id = ?1 AND substr(region_code, 1, CAST(?2 AS INTEGER)) <> ?3 \
    AND state <> \(OrganizationState.dissolved.rawValue)
    """

  private static func outside(_ id: String, _ region: String) -> [any SQLValueConvertible] {
    let digits = RegionCode.digits(of: region)
    return [id, digits.utf8.count, String(digits)]
  }

  /// Decrements the child count of an organization.
  private static func release(_ id: String) -> Statement {
    Statement(
      "UPDATE organizations SET child_count = child_count - 1 WHERE id = ?1 AND child_count > 0",
      [id], expects: .exactly(1))
  }

  /// Moves an organization with its subtree by changing the paths.
  ///
  /// A concurrent move, or a concurrent insertion below, changes the path or the version in the
  /// guards. So of two moves that together would form a cycle, one is decided again.
  ///
  /// - Parameter after: The organization in its new place, with its version incremented.
  static func move(
    _ before: StoredOrganization, to after: StoredOrganization, below parent: StoredOrganization,
    into commit: inout Commit
  ) {
    if let old = before.parentID { commit.run(release(old)) }
    commit.run(adopt(by: parent))
    commit.run(
      """
      UPDATE organizations SET parent_id = ?2, version = ?3, region_code = ?5
      WHERE id = ?1 AND version = ?3 - 1 AND path = ?4
      """,
      [after.id, after.parentID, after.version, before.path, after.regionCode],
      expects: .exactly(1))
    if after.regionCode != before.regionCode {
      commit.run(noneBelow(after.id, outside: after.regionCode))
    }
    let range = PathRange(subtreeOf: before.path)
    commit.run(
      """
      UPDATE organizations SET path = ?3 || substr(path, CAST(?4 AS INTEGER))
      WHERE path >= ?1 AND path < ?2
      """, [range.first, range.end, after.path, before.path.utf8.count + 1])
  }

  /// Dissolves an organization without children, and deletes its cover edges and its claims of
  /// employers.
  static func close(
    _ after: StoredOrganization, from before: StoredOrganization, into commit: inout Commit
  ) {
    update(after, from: before, into: &commit)
    commit.run(
      "UPDATE organizations SET version = version WHERE id = ?1 AND child_count = 0",
      [after.id], expects: .exactly(1))
    if let parentID = after.parentID { commit.run(release(parentID)) }
    commit.run(releaseEmployers(of: after.id))
    commit.run(
      "DELETE FROM organization_covers WHERE federation_id = ?1 OR organization_id = ?1",
      [after.id])
  }

  /// Returns the length of the longest path of a subtree, in identifiers.
  static func depth(of range: PathRange) -> Query<Int> {
    .one(
      """
      SELECT coalesce(max(length(path)), 0) AS characters FROM organizations
      WHERE path >= ?1 AND path < ?2
      """, [range.first, range.end]
    ) { try $0.int("characters") / StoredOrganization.idCharacters }
  }

  /// Returns whether a federation covers a union.
  static func covers(_ federationID: String, _ organizationID: String) -> Query<Bool> {
    .exists(
      "SELECT created FROM organization_covers WHERE federation_id = ?1 AND organization_id = ?2",
      [federationID, organizationID])
  }

  /// Inserts a cover edge, guarded by the version of the union.
  static func cover(
    _ federationID: String, _ union: StoredOrganization, at now: Int64, into commit: inout Commit
  ) {
    commit.run(
      "UPDATE organizations SET version = version WHERE id = ?1 AND version = ?2",
      [union.id, union.version], expects: .exactly(1))
    commit.run(
      """
      INSERT INTO organization_covers (federation_id, organization_id, created)
      VALUES (?1, ?2, ?3)
      """, [federationID, union.id, now], expects: .exactly(1))
  }

  static func uncover(_ federationID: String, _ organizationID: String) -> Statement {
    Statement(
      "DELETE FROM organization_covers WHERE federation_id = ?1 AND organization_id = ?2",
      [federationID, organizationID], expects: .exactly(1))
  }
}
