import MembersV1
import Storage

/// A membership as stored.
struct StoredMember: Sendable, Hashable {
  var id: String
  var number: String
  var state: MembershipState
  var organizationID: String
  var managingOrganizationID: String
  var group: OccupationGroup
  var channel: Channel
  var campaign: String
  /// The day of first joining in China, in days since 1970-01-01.
  var joinDay: Int
  /// The member's own code, sealed under the person's key.
  var code: [UInt8]
  var codeSHA256: [UInt8]
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
  /// Employer, platform and vehicle, sealed under the person's key; `nil` if unknown.
  var details: [UInt8]?
}

/// A membership with its person and its position in the tree.
struct KnownMember: Sendable, Hashable {
  var member: StoredMember
  var person: StoredPerson
  /// The path of the managing organization.
  var managingPath: String
}

/// A person who has applied before, whether or not they are a member.
struct KnownPerson: Sendable, Hashable {
  var person: StoredPerson
  /// The membership in any state; `nil` if there is none.
  var member: KnownMember?
  /// The enrollment that waits for approval, if any.
  var openEnrollmentID: String?
}

/// The plans of a list of a subtree's members in the order of their numbers.
enum MemberPlan: Sendable, CaseIterable {
  /// All numbers in their order, until a page is full.
  case numbers
  /// The members of the subtree's organizations, sorted; of the states in question only, unless
  /// active members are among them.
  case organizations
  /// The members of the whole store in these states, sorted; not for active members.
  case states
}

/// The SQL of memberships.
enum MemberStore {
  static let table = "memberships"

  static let selection = "SELECT \(columns)"

  /// The columns of `memberships AS m`, `persons AS p` and `organizations AS o`, the managing one.
  static let columns = """
    m.id, m.member_number, m.state, m.organization_id, m.managing_organization_id, \
    m.occupation_group, m.channel, m.campaign, m.join_day, m.code, m.code_sha256, m.version, \
    m.created, m.details, p.id AS person_id, p.wrapped_key, p.person_name, p.resident_id, p.phone, \
    o.path AS managing_path
    """

  static func byID(_ id: String) -> Query<KnownMember?> {
    .first(
      """
      \(selection) FROM memberships AS m
      JOIN persons AS p ON p.id = m.id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE m.id = ?1
      """, [id], known)
  }

  /// Returns the member, or the survivor of a merged record.
  static func remaining(of id: String) -> Query<KnownMember?> {
    .first(
      """
      \(selection) FROM memberships AS m
      JOIN persons AS p ON p.id = m.id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE m.id = COALESCE(
        (SELECT survivor_id FROM merges WHERE merged_id = ?1 AND undone IS NULL), ?1)
      """, [id], known)
  }

  /// Returns the member with a number, or the survivor of a merged record.
  static func byNumber(_ number: String) -> Query<KnownMember?> {
    .first(
      """
      \(selection) FROM member_numbers AS n
      LEFT JOIN merges AS x ON x.merged_id = n.member_id AND x.undone IS NULL
      JOIN memberships AS m ON m.id = COALESCE(x.survivor_id, n.member_id)
      JOIN persons AS p ON p.id = m.id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE n.member_number = ?1
      """, [number], known)
  }

  /// Returns the member of a pool case.
  static func ofPoolCase(_ id: String) -> Query<KnownMember?> { of("pool_cases", id) }

  /// Returns the member of a transfer.
  static func ofTransfer(_ id: String) -> Query<KnownMember?> { of("transfers", id) }

  private static func of(_ table: String, _ id: String) -> Query<KnownMember?> {
    .first(
      """
      \(selection) FROM \(table) AS c
      JOIN memberships AS m ON m.id = c.member_id
      JOIN persons AS p ON p.id = m.id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE c.id = ?1
      """, [id], known)
  }

  /// Returns the person with a resident ID, or the survivor of a merged record.
  static func byResidentID(_ hashes: [KeyedHash.Candidate]) -> Query<KnownPerson?> {
    .keyed(
      """
      \(selection), a.enrollment_id, h.hash FROM person_hashes AS h
      LEFT JOIN merges AS x ON x.merged_id = h.person_id AND x.undone IS NULL
      JOIN persons AS p ON p.id = COALESCE(x.survivor_id, h.person_id)
      LEFT JOIN memberships AS m ON m.id = p.id
      LEFT JOIN organizations AS o ON o.id = m.managing_organization_id
      LEFT JOIN open_enrollments AS a ON a.person_id = p.id
      WHERE h.place = '' AND h.hash IN
      """, hashes.map(\.digest), column: "hash"
    ) { try $0.first.map(knownPerson) }
  }

  /// Returns the person of an enrollment.
  static func applicant(of enrollmentID: String) -> Query<KnownPerson?> {
    .first(
      """
      \(selection), a.enrollment_id FROM enrollments AS e
      JOIN persons AS p ON p.id = e.person_id
      LEFT JOIN memberships AS m ON m.id = e.person_id
      LEFT JOIN organizations AS o ON o.id = m.managing_organization_id
      LEFT JOIN open_enrollments AS a ON a.person_id = e.person_id
      WHERE e.id = ?1
      """, [enrollmentID], knownPerson)
  }

  @Sendable private static func knownPerson(_ row: Row) throws -> KnownPerson {
    KnownPerson(
      person: try PersonStore.person(row), member: try row.isNull("id") ? nil : try known(row),
      openEnrollmentID: try row.optionalText("enrollment_id"))
  }

  /// Returns those of `numbers` that are taken.
  static func taken(_ numbers: [String]) -> Query<Set<String>> {
    .keyed(
      "WITH k (member_number) AS (VALUES", numbers, asTable: true,
      """
      ) SELECT k.member_number FROM k WHERE (
        SELECT n.member_id FROM member_numbers AS n WHERE n.member_number = k.member_number
      ) IS NOT NULL
      """, column: "member_number"
    ) { rows in Set(try rows.map { try $0.text("member_number") }) }
  }

  /// Returns a page of a subtree by member number.
  static func page(
    of range: PathRange, states: [MembershipState], groups: [OccupationGroup],
    by plan: MemberPlan, after number: SQLValue, limit: Int
  ) -> Query<[KnownMember]> {
    // CROSS JOIN fixes the join order on SQLite; PostgreSQL reorders it freely.
    let tables =
      switch plan {
      case .numbers:
        "member_numbers AS n CROSS JOIN memberships AS m CROSS JOIN organizations AS o"
      case .organizations: "organizations AS o CROSS JOIN memberships AS m"
      case .states: "memberships AS m CROSS JOIN organizations AS o"
      }
    // An expression prevents the use of an index, on both engines.
    let order = plan == .numbers ? "n.member_number" : "m.member_number || ''"
    let path = plan == .states ? "(o.path || '')" : "o.path"
    let numbered = plan == .numbers ? "AND m.id = n.member_id" : ""
    // The condition of the index by state and organization.
    let indexed = states.contains(.active) ? "" : "AND m.state <> \(active)"
    let stateList = states.map { String($0.rawValue) }.joined(separator: ", ")
    let groupList = groups.map { String($0.rawValue) }.joined(separator: ", ")
    let ofGroups = groups.isEmpty ? "" : "AND m.occupation_group IN (\(groupList))"
    return .all(
      """
      \(selection) FROM \(tables) CROSS JOIN persons AS p
      WHERE o.id = m.managing_organization_id AND p.id = m.id \(numbered)
        AND \(path) >= ?1 AND \(path) < ?2 AND \(order) > ?3
        AND m.state IN (\(stateList)) \(indexed) \(ofGroups)
      ORDER BY \(order) LIMIT ?4
      """, [range.first, range.end, number, limit], known)
  }

  private static let active = MembershipState.active.rawValue

  /// Returns the live members managed by an organization.
  static func live(in organizationID: String, limit: Int) -> Query<[StoredMember]> {
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return .all(
      """
      SELECT m.id, m.member_number, m.state, m.organization_id, m.managing_organization_id,
        m.occupation_group, m.channel, m.campaign, m.join_day, m.code, m.code_sha256, m.version,
        m.created, m.details
      FROM memberships AS m
      WHERE m.managing_organization_id = ?1 AND m.state IN (\(live)) LIMIT ?2
      """, [organizationID, limit], member)
  }

  /// Returns the live members with codes of the given SHA-256, or the survivors of merged records.
  static func byCodes(
    _ digests: [[UInt8]]
  ) -> Query<[(digest: [UInt8], id: String, group: OccupationGroup)]> {
    let list = InList(digests)
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return .all(
      """
      SELECT id, code_sha256, occupation_group FROM memberships
      WHERE code_sha256 IN \(list.sql) AND state IN (\(live))
      UNION ALL
      SELECT s.id, m.code_sha256, s.occupation_group FROM memberships AS m
      JOIN merges AS x ON x.merged_id = m.id AND x.undone IS NULL
      JOIN memberships AS s ON s.id = x.survivor_id
      WHERE m.code_sha256 IN \(list.sql) AND s.state IN (\(live))
      """, list.arguments
    ) { row in
      (
        try row.blob("code_sha256"), try row.text("id"),
        OccupationGroup(rawValue: try row.int32("occupation_group"))
      )
    }
  }

  /// Inserts a membership, whose key is the person's id, and its member number. Guarded against a
  /// concurrent enrollment of the person and use of the number.
  static func found(_ member: StoredMember, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO memberships (
        id, member_number, state, organization_id, managing_organization_id,
        occupation_group, channel, campaign, join_day, code, code_sha256, version, created,
        details
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
      ON CONFLICT (id) DO NOTHING
      """,
      [
        member.id, member.number, member.state.rawValue, member.organizationID,
        member.managingOrganizationID, member.group.rawValue, member.channel.rawValue,
        member.campaign, member.joinDay, member.code, member.codeSHA256, member.version,
        member.created, member.details,
      ], expects: .exactly(1))
    commit.run(
      """
      INSERT INTO member_numbers (member_number, member_id) VALUES (?1, ?2)
      ON CONFLICT (member_number) DO NOTHING
      """, [member.number, member.id], expects: .exactly(1))
  }

  /// Updates a membership; see `Commit.change`.
  ///
  /// - Parameter member: The changed membership, with its version incremented.
  static func update(_ member: StoredMember) -> Statement {
    Statement(
      """
      UPDATE memberships SET state = ?2, organization_id = ?3, managing_organization_id = ?4,
        occupation_group = ?5, channel = ?6, campaign = ?7, version = ?8, join_day = ?9,
        details = ?10
      WHERE id = ?1 AND version = ?8 - 1
      """,
      [
        member.id, member.state.rawValue, member.organizationID, member.managingOrganizationID,
        member.group.rawValue, member.channel.rawValue, member.campaign, member.version,
        member.joinDay, member.details,
      ], expects: .exactly(1))
  }

  /// Sets the join day of a membership that is not live, which is part of no counter or event.
  static func setJoinDay(_ day: Int, of member: StoredMember) -> Statement {
    Statement(
      "UPDATE memberships SET join_day = ?3 WHERE id = ?1 AND version = ?2",
      [member.id, member.version, day], expects: .exactly(1))
  }

  /// A guard that detects a concurrent change of a membership.
  static func isStill(_ member: StoredMember) -> Statement {
    Statement(
      "UPDATE memberships SET version = version WHERE id = ?1 AND version = ?2",
      [member.id, member.version], expects: .exactly(1))
  }

  @Sendable static func known(_ row: Row) throws -> KnownMember {
    KnownMember(
      member: try member(row), person: try PersonStore.person(row),
      managingPath: try row.text("managing_path"))
  }

  @Sendable private static func member(_ row: Row) throws -> StoredMember {
    StoredMember(
      id: try row.text("id"), number: try row.text("member_number"),
      state: MembershipState(rawValue: try row.int32("state")),
      organizationID: try row.text("organization_id"),
      managingOrganizationID: try row.text("managing_organization_id"),
      group: OccupationGroup(rawValue: try row.int32("occupation_group")),
      channel: Channel(rawValue: try row.int32("channel")), campaign: try row.text("campaign"),
      joinDay: try row.int("join_day"), code: try row.blob("code"),
      codeSHA256: try row.blob("code_sha256"), version: try row.integer("version"),
      created: try row.integer("created"), details: try row.optionalBlob("details"))
  }
}
