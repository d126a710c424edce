import MembersV1
import Storage

/// The SQL of organizations.
enum OrganizationStore {
  private static let columns = """
    o.id, o.external_id, o.path, o.parent_id, o.display_name, o.kind, o.level, o.region_code, \
    o.occupation_groups, o.credit_code, o.employer_credit_codes, o.takes_individuals, o.state, \
    o.version, o.created, o.industry_group, o.author, o.opened_day, o.closed_day, o.child_count
    """

  static func byID(_ id: String) -> Query<StoredOrganization?> {
    .first("SELECT \(columns) FROM organizations AS o WHERE o.id = ?1", [id], organization)
  }

  /// Returns the organizations of a path, from the root down.
  static func along(_ path: String) -> Query<[StoredOrganization]> {
    let list = InList(Array(CounterTotals.levels(of: path).dropFirst()))
    return .all(
      "SELECT \(columns) FROM organizations AS o WHERE o.id IN \(list.sql) ORDER BY o.path",
      list.arguments, organization)
  }

  static func byExternalID(_ id: String) -> Query<StoredOrganization?> {
    .first("SELECT \(columns) FROM organizations AS o WHERE o.external_id = ?1", [id], organization)
  }

  /// Returns the organization of a code.
  static func byCode(_ id: String) -> Query<StoredOrganization?> {
    .first(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE o.id = (SELECT organization_id FROM organization_codes WHERE id = ?1)
      """, [id], organization)
  }

  /// Returns the organization to which an enrollment was routed.
  static func receiver(of enrollmentID: String) -> Query<StoredOrganization?> {
    .first(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE o.id = (SELECT organization_id FROM enrollments WHERE id = ?1)
      """, [enrollmentID], organization)
  }

  /// A guard that detects a concurrent change of an organization.
  static func isStill(_ organization: StoredOrganization) -> Statement {
    Statement(
      "UPDATE organizations SET version = version WHERE id = ?1 AND version = ?2",
      [organization.id, organization.version], expects: .exactly(1))
  }

  /// A guard that detects a concurrent move of an organization or of one above it.
  static func isStill(_ id: String, at path: String) -> Statement {
    Statement(
      "UPDATE organizations SET version = version WHERE id = ?1 AND path = ?2", [id, path],
      expects: .exactly(1))
  }

  /// A guard that detects that an organization ceased to be active.
  static func isActive(_ id: String) -> Statement {
    Statement(
      """
      UPDATE organizations SET version = version
      WHERE id = ?1 AND state = \(OrganizationState.active.rawValue)
      """, [id], expects: .exactly(1), isCheck: true)
  }

  /// A guard that detects that an organization was dissolved.
  static func isNotDissolved(_ id: String) -> Statement {
    Statement(
      """
      UPDATE organizations SET version = version
      WHERE id = ?1 AND state <> \(OrganizationState.dissolved.rawValue)
      """, [id], expects: .exactly(1), isCheck: true)
  }

  /// Returns the union to which a pool case is assigned.
  static func receiverOfPoolCase(_ id: String) -> Query<StoredOrganization?> {
    named("SELECT receiver_id FROM pool_cases WHERE id = ?1", id)
  }

  /// Returns the receiver of a transfer.
  static func receiverOfTransfer(_ id: String) -> Query<StoredOrganization?> {
    named("SELECT to_id FROM transfers WHERE id = ?1", id)
  }

  private static func named(_ choice: String, _ id: String) -> Query<StoredOrganization?> {
    .first(
      "SELECT \(columns) FROM organizations AS o WHERE o.id = (\(choice))", [id], organization)
  }

  /// Whether there is any organization.
  static let isStarted = Query<Bool>.exists("SELECT o.id FROM organizations AS o LIMIT 1")

  /// Returns the active organizations that are in one of the regions or cover the employer: the
  /// candidates of the routing rules.
  static func candidates(
    regionCodes: [String], employerCreditCode: String
  ) -> Query<[StoredOrganization]> {
    let active = OrganizationState.active.rawValue
    let places = regionCodes.indices.map { "?\($0 + 3)" }.joined(separator: ", ")
    // Two disjoint index scans: for one list of identifiers from both, PostgreSQL may scan all
    // organizations and build the list for each of them.
    let (ofRegions, elsewhere) =
      regionCodes.isEmpty
      ? ("", "")
      : (
        """
        SELECT \(columns) FROM organizations AS o
        WHERE o.state = ?1 AND o.region_code IN (\(places)) UNION ALL
        """, "AND o.region_code NOT IN (\(places))"
      )
    return .all(
      """
      \(ofRegions)
      SELECT \(columns) FROM organization_employers AS e
      JOIN organizations AS o ON o.id = e.organization_id
      WHERE e.credit_code = ?2 AND o.state = ?1 \(elsewhere)
      """, [active, employerCreditCode] + regionCodes, organization)
  }

  /// Returns the active holding pools of regions.
  static func pools(in regionCodes: [String]) -> Query<[StoredOrganization]> {
    let places = regionCodes.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    return .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE o.region_code IN (\(places)) AND o.kind = \(OrganizationKind.holdingPool.rawValue)
        AND o.state = \(OrganizationState.active.rawValue)
      """, regionCodes, organization)
  }

  /// Returns a page of a subtree in order of external id.
  ///
  /// - Parameters:
  ///   - filter: Restricts the page to some organizations.
  ///   - isSmall: Whether the subtree is small enough to be read by path and sorted; a large one is
  ///     filtered while all organizations are scanned in order.
  static func page(
    of range: PathRange, _ filter: OrganizationFilter = OrganizationFilter(),
    after externalID: SQLValue, limit: Int, isSmall: Bool
  ) -> Query<[StoredOrganization]> {
    // An expression prevents the use of an index, on both engines.
    let (path, order) =
      isSmall ? ("o.path", "o.external_id || ''") : ("(o.path || '')", "o.external_id")
    return .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE \(path) >= ?1 AND \(path) < ?2 AND \(order) > ?3 \(filter.ofKinds)
      ORDER BY \(order) LIMIT ?4
      """, [range.first, range.end, externalID, limit], organization)
  }

  /// Returns a page of a subtree in order of path, parents before children, each with the external
  /// id of its parent.
  static func pageByPath(
    of range: PathRange, _ filter: OrganizationFilter, after path: String, limit: Int
  ) -> Query<[(organization: StoredOrganization, parentExternalID: String)]> {
    .all(
      """
      SELECT \(columns), above.external_id AS parent_external_id
      FROM organizations AS o LEFT JOIN organizations AS above ON above.id = o.parent_id
      WHERE o.path >= ?1 AND o.path < ?2 AND o.path > ?3 \(filter.ofKinds)
      ORDER BY o.path LIMIT ?4
      """, [range.first, range.end, path, limit]
    ) { row in
      (try organization(row), try row.optionalText("parent_external_id") ?? "")
    }
  }

  /// Returns a page, in order of external id, of the organizations related to one by an edge.
  static func page(
    _ edge: OrganizationEdge, of organizationID: String, _ filter: OrganizationFilter,
    after externalID: SQLValue, limit: Int
  ) -> Query<[StoredOrganization]> {
    let edges =
      switch edge {
      case .below: "o.parent_id = ?1"
      case .covered:
        "o.id IN (SELECT organization_id FROM organization_covers WHERE federation_id = ?1)"
      }
    return .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE \(edges) AND o.external_id > ?2 \(filter.ofKinds) ORDER BY o.external_id LIMIT ?3
      """, [organizationID, externalID, limit], organization)
  }

  /// Returns a page of the undissolved organizations directly below one, in order of external id;
  /// the roots for an empty identifier.
  static func children(
    of organizationID: String, after externalID: SQLValue, limit: Int
  ) -> Query<[StoredOrganization]> {
    .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE \(organizationID.isEmpty ? "o.parent_id IS NULL AND ?1 = ''" : "o.parent_id = ?1")
        AND o.external_id > ?2 AND o.state <> \(OrganizationState.dissolved.rawValue)
      ORDER BY o.external_id LIMIT ?3
      """, [organizationID, externalID, limit], organization)
  }

  /// Returns the number of organizations of a subtree, counted up to `most`.
  static func size(of range: PathRange, upTo most: Int) -> Query<Int> {
    .one(
      """
      SELECT count(*) AS size FROM (
        SELECT o.id FROM organizations AS o WHERE o.path >= ?1 AND o.path < ?2 LIMIT ?3
      ) AS counted
      """, [range.first, range.end, most]
    ) { row in try row.int("size") }
  }

  /// Returns the path of the organization that follows on some number of others, in tree order
  /// after a path; `nil` if there are no more than those.
  static func path(in range: PathRange, after: String, skipping count: Int) -> Query<String?> {
    .first(
      """
      SELECT o.path FROM organizations AS o WHERE o.path >= ?1 AND o.path > ?2 AND o.path < ?3
      ORDER BY o.path LIMIT 1 OFFSET \(count)
      """, [range.first, after, range.end]
    ) { try $0.text("path") }
  }

  @Sendable private static func organization(_ row: Row) throws -> StoredOrganization {
    StoredOrganization(
      id: try row.text("id"), externalID: try row.text("external_id"),
      path: try row.text("path"), parentID: try row.optionalText("parent_id"),
      displayName: try row.text("display_name"),
      kind: OrganizationKind(rawValue: try row.int32("kind")),
      level: OrganizationLevel(rawValue: try row.int32("level")),
      regionCode: try row.text("region_code"),
      groups: groups(of: try row.integer("occupation_groups")),
      creditCode: try row.text("credit_code"),
      employerCreditCodes: try row.text("employer_credit_codes").split(separator: " ")
        .map(String.init),
      takesIndividuals: try row.boolean("takes_individuals"),
      state: OrganizationState(rawValue: try row.int32("state")),
      version: try row.integer("version"), created: try row.integer("created"),
      industryGroup: try row.text("industry_group"), author: try row.text("author"),
      openedDay: try row.optionalInt("opened_day"), closedDay: try row.optionalInt("closed_day"),
      childCount: try row.integer("child_count"))
  }

  /// Encodes a set of groups as a bit set: bit n stands for the group with number n.
  static func bits(of groups: Set<OccupationGroup>) -> Int64 {
    groups.reduce(0) { $0 | 1 << Int64($1.rawValue) }
  }

  private static func groups(of bits: Int64) -> Set<OccupationGroup> {
    Set((0..<63).filter { bits >> $0 & 1 == 1 }.map { OccupationGroup(rawValue: Int32($0)) })
  }
}

/// The filter of a list of organizations.
struct OrganizationFilter: Sendable {
  var kinds: [OrganizationKind] = []

  fileprivate var ofKinds: String {
    let list = kinds.map { String($0.rawValue) }.joined(separator: ", ")
    return kinds.isEmpty ? "" : "AND o.kind IN (\(list))"
  }
}

/// A relation of organizations to one organization.
enum OrganizationEdge: Sendable {
  /// The organizations directly below it.
  case below
  /// The organizations that it covers.
  case covered
}
