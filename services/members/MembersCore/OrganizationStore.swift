import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// An organization as stored.
struct StoredOrganization: Sendable, Hashable {
  var id: String
  var externalID: String
  /// Identifiers from the root down to this one; see `MembersMigrations`.
  var path: String
  var parentID: String?
  var displayName: String
  var kind: OrganizationKind
  var level: OrganizationLevel
  var regionCode: String
  /// Groups that it takes; none is all.
  var groups: Set<OccupationGroup>
  var creditCode: String
  var employerCreditCodes: [String]
  var takesIndividuals: Bool
  var state: OrganizationState
  var version: Int64
  /// Microseconds since 1970.
  var created: Int64

  /// Path of the organization above; nil for a root.
  var parentPath: String? { parentID == nil ? nil : String(path.dropLast(32)) }

  /// Whether an import of `other` says the same of the same organization.
  func hasContent(of other: StoredOrganization) -> Bool {
    var same = other
    same.id = id
    same.path = path
    same.version = version
    same.created = created
    return self == same
  }

  var message: Organization {
    var message = Organization()
    message.name = "organizations/\(id)"
    message.externalID = externalID
    message.displayName = displayName
    message.parent = parentID.map { "organizations/\($0)" } ?? ""
    message.kind = kind
    message.level = level
    message.regionCode = regionCode
    message.groups = groups.sorted { $0.rawValue < $1.rawValue }
    message.creditCode = creditCode
    message.employerCreditCodes = employerCreditCodes
    message.takesIndividuals = takesIndividuals
    message.state = state
    message.createTime = Timestamp(microseconds: created)
    message.etag = "v\(version)"
    return message
  }
}

/// The SQL of organizations.
enum OrganizationStore {
  private static let columns = """
    o.id, o.external_id, o.path, o.parent_id, o.display_name, o.kind, o.level, o.region_code, \
    o.occupation_groups, o.credit_code, o.employer_credit_codes, o.takes_individuals, o.state, \
    o.version, o.created
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

  /// Whether there is any organization.
  static let isStarted = Query<Bool>.exists("SELECT o.id FROM organizations AS o LIMIT 1")

  /// The active organizations that stand in one of the regions or cover the employer: all that
  /// the routing rules may choose from.
  static func candidates(
    regionCodes: [String], employerCreditCode: String
  ) -> Query<[StoredOrganization]> {
    let active = OrganizationState.active.rawValue
    let places = regionCodes.indices.map { "?\($0 + 3)" }.joined(separator: ", ")
    let byRegion =
      regionCodes.isEmpty
      ? "" : "UNION SELECT id FROM organizations WHERE region_code IN (\(places))"
    return .all(
      """
      SELECT \(columns) FROM organizations AS o WHERE o.state = ?1 AND o.id IN (
        SELECT organization_id FROM organization_employers WHERE credit_code = ?2
        \(byRegion)
      )
      """, [active, employerCreditCode] + regionCodes, organization)
  }

  /// A page of a subtree in order of external id.
  ///
  /// - Parameter isSmall: Whether the subtree has few organizations: then they are gathered by path
  ///   and sorted, otherwise the order is walked and the subtree picked out.
  static func page(
    of range: PathRange, kinds: [OrganizationKind], after externalID: SQLValue, limit: Int,
    isSmall: Bool
  ) -> Query<[StoredOrganization]> {
    // An expression keeps an index from being used: a hint that both engines understand.
    let (path, order) =
      isSmall ? ("o.path", "o.external_id || ''") : ("(o.path || '')", "o.external_id")
    let kindList = kinds.map { String($0.rawValue) }.joined(separator: ", ")
    let ofKinds = kinds.isEmpty ? "" : "AND o.kind IN (\(kindList))"
    return .all(
      """
      SELECT \(columns) FROM organizations AS o
      WHERE \(path) >= ?1 AND \(path) < ?2 AND \(order) > ?3 \(ofKinds)
      ORDER BY \(order) LIMIT ?4
      """, [range.first, range.end, externalID, limit], organization)
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

  static func insert(_ organization: StoredOrganization, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO organizations (
        id, external_id, path, parent_id, display_name, kind, level, region_code,
        occupation_groups, credit_code, employer_credit_codes, takes_individuals, state, version,
        created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
      ON CONFLICT (external_id) DO NOTHING
      """,
      [
        organization.id, organization.externalID, organization.path, organization.parentID,
        organization.displayName, organization.kind.rawValue, organization.level.rawValue,
        organization.regionCode, bits(of: organization.groups), organization.creditCode,
        organization.employerCreditCodes.joined(separator: " "), organization.takesIndividuals,
        organization.state.rawValue, organization.version, organization.created,
      ], expects: .exactly(1))
    for code in organization.employerCreditCodes {
      commit.run(
        "INSERT INTO organization_employers (credit_code, organization_id) VALUES (?1, ?2)",
        [code, organization.id], expects: .exactly(1))
    }
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
      version: try row.integer("version"), created: try row.integer("created"))
  }

  /// A set of groups as bits: bit n is the group with the number n.
  private static func bits(of groups: Set<OccupationGroup>) -> Int64 {
    groups.reduce(0) { $0 | 1 << Int64($1.rawValue) }
  }

  private static func groups(of bits: Int64) -> Set<OccupationGroup> {
    Set((0..<63).filter { bits >> $0 & 1 == 1 }.map { OccupationGroup(rawValue: Int32($0)) })
  }
}
