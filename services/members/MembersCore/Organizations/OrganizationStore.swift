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

  static func byExternalID(_ id: String) -> Query<StoredOrganization?> {
    .first("SELECT \(columns) FROM organizations AS o WHERE o.external_id = ?1", [id], organization)
  }

  /// The organization that a code belongs to.
  static func byCode(_ id: String) -> Query<StoredOrganization?> {
    .first(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE o.id = (SELECT organization_id FROM organization_codes WHERE id = ?1)
      """, [id], organization)
  }

  /// The organization that an enrollment was routed to.
  static func receiver(of enrollmentID: String) -> Query<StoredOrganization?> {
    .first(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE o.id = (SELECT organization_id FROM enrollments WHERE id = ?1)
      """, [enrollmentID], organization)
  }

  /// Notices whatever changes an organization between a decision about it and the commit.
  static func isStill(_ organization: StoredOrganization) -> Statement {
    Statement(
      "UPDATE organizations SET version = version WHERE id = ?1 AND version = ?2",
      [organization.id, organization.version], expects: .exactly(1))
  }

  /// The union that a case of the holding pool is assigned to.
  static func receiverOfPoolCase(_ id: String) -> Query<StoredOrganization?> {
    named("SELECT receiver_id FROM pool_cases WHERE id = ?1", id)
  }

  /// The organization that a transfer goes to.
  static func receiverOfTransfer(_ id: String) -> Query<StoredOrganization?> {
    named("SELECT to_id FROM transfers WHERE id = ?1", id)
  }

  private static func named(_ choice: String, _ id: String) -> Query<StoredOrganization?> {
    .first(
      "SELECT \(columns) FROM organizations AS o WHERE o.id = (\(choice))", [id], organization)
  }

  /// Whether there is any organization.
  static let isStarted = Query<Bool>.exists("SELECT o.id FROM organizations AS o LIMIT 1")

  /// The active organizations that stand in one of the regions or cover the employer: all that
  /// the routing rules may choose from.
  static func candidates(
    regionCodes: [String], employerCreditCode: String
  ) -> Query<[StoredOrganization]> {
    let active = OrganizationState.active.rawValue
    let places = regionCodes.indices.map { "?\($0 + 3)" }.joined(separator: ", ")
    // Each part by its index and none twice: of one list of identifiers out of both, PostgreSQL
    // may make a loop over all organizations, and gather the list for each of them.
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

  /// The active holding pools of regions.
  static func pools(in regionCodes: [String]) -> Query<[StoredOrganization]> {
    let places = regionCodes.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    return .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE o.region_code IN (\(places)) AND o.kind = \(OrganizationKind.holdingPool.rawValue)
        AND o.state = \(OrganizationState.active.rawValue)
      """, regionCodes, organization)
  }

  /// A page of a subtree in order of external id.
  ///
  /// - Parameters:
  ///   - filter: Which of them.
  ///   - isSmall: Whether the subtree has few organizations: then they are gathered by path and
  ///     sorted, otherwise the order is walked and the subtree picked out.
  static func page(
    of range: PathRange, _ filter: OrganizationFilter = OrganizationFilter(),
    after externalID: SQLValue, limit: Int, isSmall: Bool
  ) -> Query<[StoredOrganization]> {
    // An expression keeps an index from being used: a hint that both engines understand.
    let (path, order) =
      isSmall ? ("o.path", "o.external_id || ''") : ("(o.path || '')", "o.external_id")
    return .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE \(path) >= ?1 AND \(path) < ?2 AND \(order) > ?3 \(filter.ofKinds)
      ORDER BY \(order) LIMIT ?4
      """, [range.first, range.end, externalID, limit], organization)
  }

  /// A page of a subtree in order of path: those above before those below, each with the external
  /// id of the one above.
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

  /// A page, in order of external id, of what hangs on one organization by an edge.
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

  /// How many organizations a subtree has, counted up to `most`.
  static func size(of range: PathRange, upTo most: Int) -> Query<Int> {
    .one(
      """
      SELECT count(*) AS size FROM (
        SELECT o.id FROM organizations AS o WHERE o.path >= ?1 AND o.path < ?2 LIMIT ?3
      ) AS counted
      """, [range.first, range.end, most]
    ) { row in try row.int("size") }
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

  /// A set of groups as bits: bit n is the group with the number n.
  static func bits(of groups: Set<OccupationGroup>) -> Int64 {
    groups.reduce(0) { $0 | 1 << Int64($1.rawValue) }
  }

  private static func groups(of bits: Int64) -> Set<OccupationGroup> {
    Set((0..<63).filter { bits >> $0 & 1 == 1 }.map { OccupationGroup(rawValue: Int32($0)) })
  }
}

/// Which organizations of a list are wanted.
struct OrganizationFilter: Sendable {
  var kinds: [OrganizationKind] = []

  fileprivate var ofKinds: String {
    let list = kinds.map { String($0.rawValue) }.joined(separator: ", ")
    return kinds.isEmpty ? "" : "AND o.kind IN (\(list))"
  }
}

/// What one organization may hang on another by.
enum OrganizationEdge: Sendable {
  /// It stands directly below it.
  case below
  /// It is covered by it.
  case covered
}
