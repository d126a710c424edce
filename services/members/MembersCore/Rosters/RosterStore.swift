import MembersV1
import Storage

/// The data of a member for a comparison.
struct RosterMember: Sendable {
  var personID: String
  /// Whether the managing organization is in the compared subtree.
  var isHere: Bool
}

/// The SQL of roster comparison.
enum RosterStore {
  /// Returns the live members by the hashes of their resident IDs.
  static func members(
    with hashes: [[UInt8]], in range: PathRange
  ) -> Query<[[UInt8]: RosterMember]> {
    let (list, arguments) = list(of: hashes, after: 2)
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return Query(
      """
      SELECT h.hash, h.person_id,
        CASE WHEN o.path >= ?1 AND o.path < ?2 THEN 1 ELSE 0 END AS is_here
      FROM person_hashes AS h
      LEFT JOIN merges AS x ON x.merged_id = h.person_id AND x.undone IS NULL
      JOIN memberships AS m ON m.id = COALESCE(x.survivor_id, h.person_id)
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE h.hash IN (\(list)) AND h.place = '' AND m.state IN (\(live))
      """, [range.first, range.end] + arguments
    ) { rows in
      var found: [[UInt8]: RosterMember] = [:]
      found.reserveCapacity(rows.count)
      for row in rows {
        found[try row.blob("hash")] = RosterMember(
          personID: try row.text("person_id"), isHere: try row.boolean("is_here"))
      }
      return found
    }
  }

  /// Returns the persons with the hashes of name and birth date.
  static func persons(with hashes: [[UInt8]]) -> Query<Set<RosterName>> {
    let (list, arguments) = list(of: hashes, after: 0)
    return Query(
      "SELECT hash, person_id FROM person_hashes WHERE hash IN (\(list)) AND place = person_id",
      arguments
    ) { rows in
      var found: Set<RosterName> = []
      found.reserveCapacity(rows.count)
      for row in rows {
        found.insert(
          RosterName(hash: try row.blob("hash"), personID: try row.text("person_id")))
      }
      return found
    }
  }

  /// Returns the persons with their sealed data.
  static func sealed(of ids: [String]) -> Query<[String: StoredPerson]> {
    let places = ids.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    return Query(
      """
      SELECT p.id AS person_id, p.wrapped_key, p.person_name, p.resident_id, p.phone
      FROM persons AS p WHERE p.id IN (\(places.isEmpty ? "NULL" : places))
      """, ids
    ) { rows in
      try rows.reduce(into: [:]) { found, row in
        let person = try PersonStore.person(row)
        found[person.id] = person
      }
    }
  }

  /// Returns parameters and arguments for hashes, padded to a power of two by repeating the last
  /// one, which limits the number of distinct texts to prepare. The empty hash matches nobody.
  private static func list(
    of hashes: [[UInt8]], after count: Int
  ) -> (places: String, arguments: [any SQLValueConvertible]) {
    var size = 1
    while size < hashes.count { size *= 2 }
    let padding = Array(repeating: hashes.last ?? [], count: size - hashes.count)
    return (
      (1...size).map { "?\($0 + count)" }.joined(separator: ","), hashes + padding
    )
  }

  /// Returns those of the credit codes that a union covers.
  static func covered(_ creditCodes: [String]) -> Query<Set<String>> {
    let places = creditCodes.indices.map { "?\($0 + 2)" }.joined(separator: ", ")
    return Query(
      """
      SELECT e.credit_code FROM organization_employers AS e
      JOIN organizations AS o ON o.id = e.organization_id
      WHERE o.state = ?1 AND e.credit_code IN (\(places.isEmpty ? "NULL" : places))
      """, [OrganizationState.active.rawValue] + creditCodes
    ) { rows in Set(try rows.map { try $0.text("credit_code") }) }
  }

  static func compared(by organizationID: String, on day: Int) -> Query<Int64?> {
    .first(
      "SELECT compared FROM roster_quotas WHERE organization_id = ?1 AND day = ?2",
      [organizationID, day]
    ) { try $0.integer("compared") }
  }

  /// Returns the statement that uses a day's quota; guarded by the count that was read.
  static func take(
    _ rows: Int64, of organizationID: String, on day: Int, compared: Int64?
  ) -> Statement {
    Statement(
      """
      INSERT INTO roster_quotas (organization_id, day, compared) VALUES (?1, ?2, ?3)
      ON CONFLICT (organization_id, day) DO UPDATE SET compared = excluded.compared
      WHERE roster_quotas.compared = ?4
      """, [organizationID, day, (compared ?? 0) + rows, compared ?? -1], expects: .exactly(1))
  }
}

/// The hash of a person's name and birth date.
struct RosterName: Sendable, Hashable {
  var hash: [UInt8]
  var personID: String
}
