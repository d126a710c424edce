import MembersV1
import Storage

/// A member as a comparison needs them.
struct RosterMember: Sendable {
  var personID: String
  var wrappedKey: [UInt8]?
  var name: [UInt8]
  /// Path of the managing organization.
  var path: String
}

/// The SQL of roster comparison.
enum RosterStore {
  /// The live members with the hashes.
  static func members(with hashes: [[UInt8]]) -> Query<[[UInt8]: RosterMember]> {
    let places = hashes.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return Query(
      """
      SELECT h.hash, p.id AS person_id, p.wrapped_key, p.person_name, o.path
      FROM person_hashes AS h
      JOIN memberships AS m ON m.id = h.person_id
      JOIN persons AS p ON p.id = h.person_id
      JOIN organizations AS o ON o.id = m.managing_organization_id
      WHERE h.hash IN (\(places.isEmpty ? "NULL" : places)) AND h.place = ''
        AND m.state IN (\(live))
      """, hashes
    ) { rows in
      try rows.reduce(into: [:]) { found, row in
        found[try row.blob("hash")] = RosterMember(
          personID: try row.text("person_id"), wrappedKey: try row.optionalBlob("wrapped_key"),
          name: try row.blob("person_name"), path: try row.text("path"))
      }
    }
  }

  /// Those of the credit codes that a union covers.
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

  /// Takes rows of a day's quota; guarded by what was read.
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
