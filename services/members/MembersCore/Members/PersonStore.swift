import MembersV1
import Storage

/// A person as stored: personal data are sealed under the person's own key.
struct StoredPerson: Sendable, Hashable {
  var id: String
  /// The wrapped data key; `nil` after erasure.
  var wrappedKey: [UInt8]?
  var name: [UInt8]
  var residentID: [UInt8]
  var phone: [UInt8]

  var isErased: Bool { wrappedKey == nil }
}

/// The hashes by which a person is found, each under the current key and, until it is retired, the
/// previous one.
struct PersonHashes: Sendable, Hashable {
  /// The hashes of the resident ID, unique to the person.
  var residentID: [KeyedHash.Candidate]
  /// The hashes of the phone number.
  var phone: [KeyedHash.Candidate]
  /// The hashes of name and birth date.
  var birth: [KeyedHash.Candidate]

  /// The number of the current key.
  var key: UInt32 { residentID[0].key }
}

/// The SQL of persons.
enum PersonStore {
  static let table = "persons"

  /// The newest persons that were read with a new person's phone number, and with the name and the
  /// birth date.
  struct Newest: Sendable {
    var withPhone: String?
    var withBirth: String?
  }

  /// Inserts a new person. The hashes of the resident ID come first: the guard fails if another
  /// person has one of them, under either key.
  ///
  /// The newest look-alikes are guarded, too, so that of two look-alikes enrolled concurrently by
  /// two replicas, one is detected.
  static func insert(
    _ person: StoredPerson, hashes: PersonHashes, newest: Newest, created: Int64,
    into commit: inout Commit
  ) throws {
    try commit.refuseOutdated(hashKey: hashes.key, sealed: person.wrappedKey ?? [])
    for candidate in hashes.residentID {
      commit.run(insert(candidate, place: "", of: person.id, expects: .exactly(1)))
    }
    insertGuarded(hashes.phone, of: person.id, newest: newest.withPhone, into: &commit)
    insertGuarded(hashes.birth, of: person.id, newest: newest.withBirth, into: &commit)
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

  /// Inserts hashes of an existing person under other keys.
  ///
  /// - Parameter isNew: Whether none of the resident ID's hashes may exist yet.
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

  /// Deletes a person's hashes under each key in use.
  static func remove(_ hashes: PersonHashes, of person: String, into commit: inout Commit) {
    for candidate in hashes.residentID + hashes.phone + hashes.birth {
      commit.run(
        "DELETE FROM person_hashes WHERE hash = ?1 AND person_id = ?2", [candidate.digest, person])
    }
  }

  /// Returns the persons with a resident ID, without following merges.
  static func holders(of residentID: [KeyedHash.Candidate]) -> Query<[String]> {
    let list = InList(residentID.map(\.digest))
    return .all(
      "SELECT person_id FROM person_hashes WHERE place = '' AND hash IN \(list.sql)",
      list.arguments
    ) { row in try row.text("person_id") }
  }

  /// A guard that detects a concurrent erasure, correction or key renewal.
  static func isStill(_ person: StoredPerson) -> Statement {
    Statement(
      "UPDATE persons SET hash_key = hash_key WHERE id = ?1 AND wrapped_key = ?2",
      [person.id, person.wrappedKey], expects: .exactly(1))
  }

  /// Returns the statement that corrects a person's data.
  ///
  /// - Parameter hashKey: The number of the key of the new hashes.
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

  /// Inserts hashes that several persons may have.
  ///
  /// - Parameter newest: The expected newest person with any of the hashes; `nil` for none.
  private static func insertGuarded(
    _ hashes: [KeyedHash.Candidate], of person: String, newest: String?, into commit: inout Commit
  ) {
    let others = hashes.count > 1 ? [hashes[1].digest] : []
    let values: [any SQLValueConvertible] =
      [hashes[0].digest, person, Int64(hashes[0].key)] + others + (newest.map { [$0] } ?? [])
    let text = guardedInsertions[others.count * 2 + (newest == nil ? 0 : 1)]
    commit.run(text, values, expects: .exactly(1))
    for candidate in hashes.dropFirst() {
      commit.run(insert(candidate, place: person, of: person, expects: .exactly(1)))
    }
  }

  /// The statements of ``insertGuarded(_:of:newest:into:)``: with one key, without and with a
  /// newest person, and the same with two keys.
  private static let guardedInsertions = [(0, 0), (0, 1), (1, 0), (1, 1)].map { others, newest in
    let same = others == 0 ? "h.hash = v.hash" : "h.hash IN (v.hash, v.other)"
    // Most persons have no look-alike, and the absence of one is cheap to check: a scalar subquery,
    // which PostgreSQL evaluates by the index whatever its row estimate.
    let isStill =
      newest == 0
      ? "(SELECT h.place FROM person_hashes AS h WHERE \(same) LIMIT 1) IS NULL"
      : """
      v.newest = (
        SELECT h.person_id FROM person_hashes AS h WHERE \(same)
        ORDER BY \(created) DESC, h.person_id DESC LIMIT 1)
      """
    let columns =
      ["hash", "place", "key"] + (others == 0 ? [] : ["other"]) + (newest == 0 ? [] : ["newest"])
    return """
      WITH v (\(columns.joined(separator: ", ")))
        AS (VALUES \(Commit.places(rows: 1, columns: columns.count)))
      INSERT INTO person_hashes (hash, place, person_id, key)
      SELECT v.hash, v.place, v.place, v.key FROM v WHERE \(isStill)
      """
  }

  /// - Parameter place: Empty for hashes unique to a person, otherwise the person.
  private static func insert(
    _ hash: KeyedHash.Candidate, place: String, of person: String, expects: Statement.Expectation
  ) -> Statement {
    Statement(
      """
      INSERT INTO person_hashes (hash, place, person_id, key) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (hash, place) DO NOTHING
      """, [hash.digest, place, person, Int64(hash.key)], expects: expects)
  }

  /// The creation time of the person of `h`. A scalar subquery instead of a join, so that a
  /// PostgreSQL plan made for a small table still uses the index.
  private static let created = "(SELECT p.created FROM persons AS p WHERE p.id = h.person_id)"

  /// The maximum number of persons with whom one is compared by each likeness: a phone may be that
  /// of a whole village.
  static let lookAlikesMax = 5

  /// Returns the newest persons with the phone number, or with the name and birth date, without
  /// merged records. An erased person has no hashes.
  static func lookAlikes(with hashes: [KeyedHash.Candidate]) -> Query<[String]> {
    let list = InList(hashes.map(\.digest), first: 2)
    return .all(
      """
      SELECT DISTINCT h.person_id, \(created) AS created FROM person_hashes AS h
      WHERE h.hash IN \(list.sql) AND COALESCE(
        (SELECT m.state FROM memberships AS m WHERE m.id = h.person_id), 0
      ) <> \(MembershipState.merged.rawValue)
      ORDER BY created DESC, h.person_id DESC LIMIT ?1
      """, [lookAlikesMax] + list.arguments
    ) { row in try row.text("person_id") }
  }

  /// Returns the newest person with the phone number, or with the name and birth date, in any
  /// state: mostly there is none, and one look-up says so.
  static func newest(with hashes: [KeyedHash.Candidate]) -> Query<String?> {
    .keyed(
      "WITH k (hash) AS (VALUES", hashes.map(\.digest), asTable: true,
      """
      ) SELECT k.hash, (
        SELECT max(CAST(\(created) AS TEXT) || ' ' || h.person_id)
        FROM person_hashes AS h WHERE h.hash = k.hash) AS newest
      FROM k
      """, column: "hash"
    ) { rows in
      // The maximum over the keys in use; the creation times have the same number of digits.
      try rows.compactMap { try $0.optionalText("newest") }.max()
        .map { String($0.drop { $0 != " " }.dropFirst()) }
    }
  }

  /// A person with the number of the key of their hashes.
  struct Keyed: Sendable {
    var person: StoredPerson
    var hashKey: Int64
  }

  private static let keyed = """
    SELECT p.id AS person_id, p.wrapped_key, p.person_name, p.resident_id, p.phone, p.hash_key \
    FROM persons AS p
    """

  /// Returns persons in order of id, for key rotation.
  static func page(after id: String, limit: Int) -> Query<[Keyed]> {
    .all("\(keyed) WHERE p.id > ?1 ORDER BY p.id LIMIT ?2", [id, limit], keyed)
  }

  static func byID(_ id: String) -> Query<Keyed?> {
    .first("\(keyed) WHERE p.id = ?1", [id], keyed)
  }

  @Sendable private static func keyed(_ row: Row) throws -> Keyed {
    Keyed(person: try person(row), hashKey: try row.integer("hash_key"))
  }

  /// Returns hashes in order, each with the number of its key.
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
