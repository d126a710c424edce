import MembersV1
import Storage

/// The member of a roster row, for the verdict on it.
struct RosterFinding: Sendable, Hashable {
  /// Whether the managing organization is in the compared subtree.
  let isHere: Bool
  /// Whether the member has the row's name and birth date.
  let isNamed: Bool

  /// - Parameter code: As in the SQL.
  fileprivate init(_ code: Int64) { (isHere, isNamed) = (code & 1 != 0, code & 2 != 0) }
}

/// The SQL of roster comparison.
enum RosterStore {
  private static let live = MembershipState.live.map { String($0.rawValue) }.joined(
    separator: ", ")

  /// Returns the findings on searches, in their order; `nil` where there is no live member.
  ///
  /// The hashes of all searches are one argument, from which the statement cuts those of each line:
  /// thousands of parameters would be prepared, bound and sent one by one. Lines are in the order
  /// of the hashes, so that look-ups that follow each other share the inner pages of the index. A
  /// row of the result is one integer for each line. The look-ups are a scalar subquery, because
  /// PostgreSQL would join thousands of keys with all persons.
  static func findings(
    on searches: [RosterSearch], in range: PathRange
  ) -> Query<[RosterFinding?]> {
    var lines: [Line] = []
    lines.reserveCapacity(searches.count)
    for (place, search) in searches.enumerated() {
      for (index, person) in search.persons.enumerated() {
        // The hashes of a person are stored under the same keys.
        let name = index < search.names.count ? search.names[index] : noHash
        lines.append(Line(place: place, person: person, name: name))
      }
    }
    guard !lines.isEmpty else {
      return .constant(Array(repeating: nil, count: searches.count))
    }
    lines.sort { $0.order < $1.order }
    var hashes: [UInt8] = []
    hashes.reserveCapacity(lines.count * 2 * KeyedHash.digestBytes)
    for line in lines {
      hashes += line.person
      hashes += line.name
    }
    let (count, places) = (searches.count, lines.map(\.place))
    return Query(findingsOfLines, [range.first, range.end, hashes, lines.count]) { rows in
      var codes = [Int64?](repeating: nil, count: count)
      for row in rows {
        guard let code = try row.optionalInteger("found") else { continue }
        let place = places[try row.int("line")]
        codes[place] = (codes[place] ?? 0) | code
      }
      return codes.map { $0.map(RosterFinding.init) }
    }
  }

  /// A person to be looked up under one key.
  private struct Line {
    /// The place of the search.
    let place: Int
    let person: [UInt8]
    let name: [UInt8]
    /// The first bytes of the person's hash, which suffice for the order.
    let order: UInt64

    init(place: Int, person: [UInt8], name: [UInt8]) {
      (self.place, self.person, self.name) = (place, person, name)
      order = person.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  /// Stands for a hash that a row does not have; no person has it.
  private static let noHash = [UInt8](repeating: 0, count: KeyedHash.digestBytes)

  /// The findings on `?4` lines of `?3`, each of which is the hash of a person and that of a name.
  /// Lines are counted by two digits, of 64 and of 128 values: full messages under two keys.
  private static let findingsOfLines: String = {
    let digest = KeyedHash.digestBytes
    let lowCount = 64
    let highCount = RosterComparison.rowsMax * KeyedHash.keysMax / lowCount
    let low = (0..<lowCount).map { "(\($0))" }.joined(separator: ",")
    let high = (0..<highCount).map { "(\($0 * lowCount))" }.joined(separator: ",")
    return """
      WITH low (digit) AS (VALUES \(low)), high (digit) AS (VALUES \(high)),
      k (line, person, name) AS (
        SELECT high.digit + low.digit,
          substr(?3, 1 + \(2 * digest) * (high.digit + low.digit), \(digest)),
          substr(?3, \(1 + digest) + \(2 * digest) * (high.digit + low.digit), \(digest))
        FROM high CROSS JOIN low WHERE high.digit + low.digit < ?4
      )
      SELECT k.line, (
        SELECT CASE WHEN o.path >= ?1 AND o.path < ?2 THEN 1 ELSE 0 END
          + CASE WHEN EXISTS (
              SELECT 1 FROM person_hashes AS q WHERE q.hash = k.name AND q.place = h.person_id
            ) THEN 2 ELSE 0 END
        FROM person_hashes AS h
        JOIN memberships AS m ON m.id = h.person_id
        JOIN organizations AS o ON o.id = CASE
          WHEN m.state IN (\(live)) THEN m.managing_organization_id
          ELSE (
            SELECT s.managing_organization_id FROM merges AS x
            JOIN memberships AS s ON s.id = x.survivor_id
            WHERE x.merged_id = m.id AND x.undone IS NULL AND s.state IN (\(live))
          ) END
        WHERE h.hash = k.person AND h.place = ''
      ) AS found
      FROM k
      """
  }()

  /// Returns the persons by the hashes of their resident IDs.
  static func persons(with hashes: [[UInt8]]) -> Query<[[UInt8]: String]> {
    guard !hashes.isEmpty else { return .constant([:]) }
    let list = InList(hashes)
    return Query(
      "SELECT hash, person_id FROM person_hashes WHERE hash IN \(list.sql) AND place = ''",
      list.arguments
    ) { rows in
      try rows.reduce(into: [:]) { $0[try $1.blob("hash")] = try $1.text("person_id") }
    }
  }

  /// Returns the persons with their sealed data.
  static func sealed(of ids: [String]) -> Query<[String: StoredPerson]> {
    let list = InList(ids)
    return Query(
      """
      SELECT p.id AS person_id, p.wrapped_key, p.person_name, p.resident_id, p.phone
      FROM persons AS p WHERE p.id IN \(list.sql)
      """, list.arguments
    ) { rows in
      try rows.reduce(into: [:]) { found, row in
        let person = try PersonStore.person(row)
        found[person.id] = person
      }
    }
  }

  /// Returns those of the credit codes that a union covers.
  static func covered(_ creditCodes: [String]) -> Query<Set<String>> {
    let list = InList(creditCodes, first: 2)
    return Query(
      """
      SELECT e.credit_code FROM organization_employers AS e
      JOIN organizations AS o ON o.id = e.organization_id
      WHERE o.state = ?1 AND e.credit_code IN \(list.sql)
      """, [OrganizationState.active.rawValue] + list.arguments
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
