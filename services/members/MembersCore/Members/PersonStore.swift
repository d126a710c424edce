import Storage

/// A person as stored: all that is personal is sealed with the person's own key.
struct StoredPerson: Sendable, Hashable {
  var id: String
  /// nil once the person was erased.
  var wrappedKey: [UInt8]?
  var name: [UInt8]
  var residentID: [UInt8]
  var phone: [UInt8]

  var isErased: Bool { wrappedKey == nil }
}

/// The hashes that a person is found by, each under the current key and, while that one is not
/// retired, the key before it.
struct PersonHashes: Sendable, Hashable {
  /// Of the resident ID: of one person only.
  var residentID: [KeyedHash.Candidate]
  var phone: [KeyedHash.Candidate]
  /// Of name and birth date.
  var birth: [KeyedHash.Candidate]

  /// The number of the current key.
  var key: UInt32 { residentID[0].key }
}

/// The SQL of persons, and what their fields are sealed for.
enum PersonStore {
  static let table = "persons"

  /// Who else was read to have a new person's phone, and their name and birth date.
  struct LookAlikes: Sendable {
    var withPhone: String?
    var withBirth: String?
  }

  /// Stores a new person. All the hashes of the resident ID are taken first: where another person
  /// has one of them, under whichever key, this person is known.
  ///
  /// Guards that the look-alikes are still who was read: of two who come at the same moment to two
  /// replicas, neither would be noticed otherwise.
  static func insert(
    _ person: StoredPerson, hashes: PersonHashes, lookAlikes: LookAlikes, created: Int64,
    into commit: inout Commit
  ) {
    for candidate in hashes.residentID {
      commit.run(insert(candidate, place: "", of: person.id, expects: .exactly(1)))
    }
    insertGuarded(hashes.phone, of: person.id, oldest: lookAlikes.withPhone, into: &commit)
    insertGuarded(hashes.birth, of: person.id, oldest: lookAlikes.withBirth, into: &commit)
    commit.run(
      """
      INSERT INTO persons (
        id, hash_key, wrapped_key, person_name, resident_id, phone, created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
      """,
      [
        person.id, Int64(hashes.key), person.wrappedKey, person.name, person.residentID,
        person.phone, created,
      ], expects: .exactly(1))
  }

  /// Hashes of a person who has some already, under another key.
  ///
  /// - Parameter isNew: Whether none of the resident ID's hashes may be there yet.
  static func insert(
    _ hashes: PersonHashes, of person: String, isNew: Bool = false, into commit: inout Commit
  ) {
    for candidate in hashes.residentID {
      commit.run(insert(candidate, place: "", of: person, expects: isNew ? .exactly(1) : .any))
    }
    for candidate in hashes.phone + hashes.birth {
      commit.run(insert(candidate, place: person, of: person, expects: .any))
    }
  }

  /// Removes what a person is found by, under each key in use.
  static func remove(_ hashes: PersonHashes, of person: String, into commit: inout Commit) {
    for candidate in hashes.residentID + hashes.phone + hashes.birth {
      commit.run(
        "DELETE FROM person_hashes WHERE hash = ?1 AND person_id = ?2", [candidate.digest, person])
    }
  }

  /// The persons whose a resident ID is; a merge is not followed.
  static func holders(of residentID: [KeyedHash.Candidate]) -> Query<[String]> {
    let places = residentID.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    return .all(
      "SELECT person_id FROM person_hashes WHERE place = '' AND hash IN (\(places))",
      residentID.map(\.digest)
    ) { row in try row.text("person_id") }
  }

  /// Notices an erasure, a correction or a renewal of keys between a decision and the commit.
  static func isStill(_ person: StoredPerson) -> Statement {
    Statement(
      "UPDATE persons SET hash_key = hash_key WHERE id = ?1 AND wrapped_key = ?2",
      [person.id, person.wrappedKey], expects: .exactly(1))
  }

  /// Corrects a person's data.
  ///
  /// - Parameter hashKey: The number of the key that the new hashes are under.
  static func correct(
    _ person: StoredPerson, to corrected: StoredPerson, hashKey: UInt32
  ) -> Statement {
    Statement(
      """
      UPDATE persons SET wrapped_key = ?3, person_name = ?4, resident_id = ?5, phone = ?6,
        hash_key = ?7
      WHERE id = ?1 AND wrapped_key = ?2
      """,
      [
        person.id, person.wrappedKey, corrected.wrappedKey, corrected.name, corrected.residentID,
        corrected.phone, Int64(hashKey),
      ], expects: .exactly(1))
  }

  /// What others may have too.
  ///
  /// - Parameter oldest: Who must be ``oldest(with:)`` of them.
  private static func insertGuarded(
    _ hashes: [KeyedHash.Candidate], of person: String, oldest: String?, into commit: inout Commit
  ) {
    let others = hashes.count > 1 ? [hashes[1].digest] : []
    let same = others.isEmpty ? "h.hash = v.hash" : "h.hash IN (v.hash, v.other)"
    // Most have no look-alike, and that nobody has become one is soon seen.
    let (isStill, expected): (String, [String]) =
      if let oldest {
        (
          """
          v.oldest = (
            SELECT h.person_id FROM person_hashes AS h WHERE \(same)
            ORDER BY \(created), h.person_id LIMIT 1)
          """, [oldest]
        )
      } else {
        // As a value, which PostgreSQL looks up by the index, however few rows it thinks there are.
        ("(SELECT h.place FROM person_hashes AS h WHERE \(same) LIMIT 1) IS NULL", [])
      }
    let columns =
      ["hash", "place", "key"] + (others.isEmpty ? [] : ["other"])
      + (expected.isEmpty ? [] : ["oldest"])
    let values: [any SQLValueConvertible] =
      [hashes[0].digest, person, Int64(hashes[0].key)] + others + expected
    commit.run(
      """
      WITH v (\(columns.joined(separator: ", ")))
        AS (VALUES \(Commit.places(rows: 1, columns: columns.count)))
      INSERT INTO person_hashes (hash, place, person_id, key)
      SELECT v.hash, v.place, v.place, v.key FROM v WHERE \(isStill)
      """, values, expects: .exactly(1))
    for candidate in hashes.dropFirst() {
      commit.run(insert(candidate, place: person, of: person, expects: .exactly(1)))
    }
  }

  /// - Parameter place: Empty for what one person has only, else the person.
  private static func insert(
    _ hash: KeyedHash.Candidate, place: String, of person: String, expects: Statement.Expectation
  ) -> Statement {
    Statement(
      """
      INSERT INTO person_hashes (hash, place, person_id, key) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (hash, place) DO NOTHING
      """, [hash.digest, place, person, Int64(hash.key)], expects: expects)
  }

  /// When the person of `h` was stored: a value and no join, so that PostgreSQL looks it up by the
  /// index, however few persons there were when it thought its plan.
  private static let created = "(SELECT p.created FROM persons AS p WHERE p.id = h.person_id)"

  /// The oldest person with the phone, or with the name and birth date.
  static func oldest(with hashes: [KeyedHash.Candidate]) -> Query<String?> {
    .keyed(
      "WITH k (hash) AS (VALUES", hashes.map(\.digest), asTable: true,
      """
      ) SELECT k.hash, (
        SELECT min(CAST(\(created) AS TEXT) || ' ' || h.person_id)
        FROM person_hashes AS h WHERE h.hash = k.hash) AS oldest
      FROM k
      """, column: "hash"
    ) { rows in
      // Under each key in use the oldest, after its instant of as many digits.
      try rows.compactMap { try $0.optionalText("oldest") }.min()
        .map { String($0.drop { $0 != " " }.dropFirst()) }
    }
  }

  /// A person with the number of the key that their hashes are under.
  struct Keyed: Sendable {
    var person: StoredPerson
    var hashKey: Int64
  }

  private static let keyed = """
    SELECT p.id AS person_id, p.wrapped_key, p.person_name, p.resident_id, p.phone, p.hash_key \
    FROM persons AS p
    """

  /// Persons in the order of their identifiers, which a rotation walks.
  static func page(after id: String, limit: Int) -> Query<[Keyed]> {
    .all("\(keyed) WHERE p.id > ?1 ORDER BY p.id LIMIT ?2", [id, limit], keyed)
  }

  static func byID(_ id: String) -> Query<Keyed?> {
    .first("\(keyed) WHERE p.id = ?1", [id], keyed)
  }

  @Sendable private static func keyed(_ row: Row) throws -> Keyed {
    Keyed(person: try person(row), hashKey: try row.integer("hash_key"))
  }

  /// Hashes in their order, each with the number of its key.
  static func hashes(
    after hash: [UInt8], _ place: String, limit: Int
  ) -> Query<[(hash: [UInt8], place: String, key: Int64)]> {
    .all(
      """
      SELECT hash, place, key FROM person_hashes WHERE (hash, place) > (?1, ?2)
      ORDER BY hash, place LIMIT ?3
      """, [hash, place, limit]
    ) { row in (try row.blob("hash"), try row.text("place"), try row.integer("key")) }
  }

  static func person(_ row: Row) throws -> StoredPerson {
    StoredPerson(
      id: try row.text("person_id"), wrappedKey: try row.optionalBlob("wrapped_key"),
      name: try row.blob("person_name"), residentID: try row.blob("resident_id"),
      phone: try row.blob("phone"))
  }
}
