import Storage

/// A person as stored: all that is personal is sealed with the person's own key.
struct StoredPerson: Sendable, Hashable {
  var id: String
  /// nil once the person was erased.
  var wrappedKey: [UInt8]?
  var name: [UInt8]
  var residentID: [UInt8]
  var phone: [UInt8]
}

/// The hashes that a person is found by, each under the current key and the one before it.
struct PersonHashes: Sendable, Hashable {
  var residentID: [[UInt8]]
  var phone: [[UInt8]]
  var birth: [[UInt8]]
}

/// The SQL of persons, and what their fields are sealed for.
enum PersonStore {
  static let table = "persons"

  static func insert(
    _ person: StoredPerson, hashes: PersonHashes, created: Int64
  ) -> Statement {
    Statement(
      """
      INSERT INTO persons (
        id, id_hash, phone_hash, birth_hash, wrapped_key, person_name, resident_id, phone, created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
      ON CONFLICT (id_hash) DO NOTHING
      """,
      [
        person.id, hashes.residentID[0], hashes.phone[0], hashes.birth[0], person.wrappedKey,
        person.name, person.residentID, person.phone, created,
      ], expects: .exactly(1))
  }

  /// The oldest person with the phone.
  static func withPhone(_ hashes: [[UInt8]]) -> Query<String?> {
    .first(
      "SELECT id FROM persons WHERE phone_hash IN (?1, ?2) ORDER BY created, id LIMIT 1",
      [hashes[0], hashes[hashes.count - 1]]
    ) { row in try row.text("id") }
  }

  /// The oldest person with the name and birth date.
  static func withBirth(_ hashes: [[UInt8]]) -> Query<String?> {
    .first(
      "SELECT id FROM persons WHERE birth_hash IN (?1, ?2) ORDER BY created, id LIMIT 1",
      [hashes[0], hashes[hashes.count - 1]]
    ) { row in try row.text("id") }
  }

  static func person(_ row: Row) throws -> StoredPerson {
    StoredPerson(
      id: try row.text("person_id"), wrappedKey: try row.optionalBlob("wrapped_key"),
      name: try row.blob("person_name"), residentID: try row.blob("resident_id"),
      phone: try row.blob("phone"))
  }
}
