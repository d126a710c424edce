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
  /// A row of the result is one integer for each search and key. The look-ups are a scalar
  /// subquery, because PostgreSQL would join thousands of keys with all persons.
  static func findings(
    on searches: [RosterSearch], in range: PathRange
  ) -> Query<[RosterFinding?]> {
    var (places, arguments): ([Int], [any SQLValueConvertible]) = ([], [range.first, range.end])
    for (place, search) in searches.enumerated() {
      for (index, person) in search.persons.enumerated() {
        places.append(place)
        arguments.append(person)
        // The hashes of a person are stored under the same keys.
        arguments.append(index < search.names.count ? search.names[index] : [])
      }
    }
    guard !places.isEmpty else {
      return .constant(Array(repeating: nil, count: searches.count))
    }
    let size = places.count.paddedToPowerOfTwo
    arguments += Array(repeating: [UInt8](), count: 2 * (size - places.count))
    let (count, ofSearch) = (searches.count, places)
    return Query(
      """
      WITH k (line, person, name) AS (VALUES \(size == fullSize ? fullLines : lines(size)))
      SELECT k.line, (
        SELECT CASE WHEN o.path >= ?1 AND o.path < ?2 THEN 1 ELSE 0 END
          + CASE WHEN EXISTS (
              SELECT 1 FROM person_hashes AS q WHERE q.hash = k.name AND q.place = h.person_id
            ) THEN 2 ELSE 0 END
        FROM person_hashes AS h
        LEFT JOIN merges AS x ON x.merged_id = h.person_id AND x.undone IS NULL
        JOIN memberships AS m ON m.id = COALESCE(x.survivor_id, h.person_id)
        JOIN organizations AS o ON o.id = m.managing_organization_id
        WHERE h.hash = k.person AND h.place = '' AND m.state IN (\(live))
      ) AS found
      FROM k
      """, arguments
    ) { rows in
      var codes = [Int64?](repeating: nil, count: count)
      for row in rows {
        guard let code = try row.optionalInteger("found") else { continue }
        let place = ofSearch[try row.int("line")]
        codes[place] = (codes[place] ?? 0) | code
      }
      return codes.map { $0.map(RosterFinding.init) }
    }
  }

  /// The number of lines of a full message under one key.
  private static let fullSize = RosterComparison.rowsMax
  private static let fullLines = lines(fullSize)

  /// Returns the rows of a table of keys: their number, and the parameters of two hashes.
  private static func lines(_ count: Int) -> String {
    (0..<count).map { "(\($0),?\(2 * $0 + 3),?\(2 * $0 + 4))" }.joined(separator: ",")
  }

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

extension Int {
  /// The smallest power of two that is not below the number, which limits the number of distinct
  /// texts to prepare.
  fileprivate var paddedToPowerOfTwo: Int {
    var size = 1
    while size < self { size *= 2 }
    return size
  }
}
