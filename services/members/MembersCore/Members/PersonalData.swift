import MembersV1
import ServiceKit
import Storage

/// The decrypted data that identify a person; never stored.
struct PersonalData: Sendable {
  var name: String
  var residentID: String
  /// The phone number in E.164.
  var phone: String
}

extension MembersKeys {
  /// Returns a person's data key.
  ///
  /// - Throws: `StorageError.sealBroken` after erasure.
  func personKey(of person: StoredPerson) throws -> PersonKey {
    guard let wrapped = person.wrappedKey else { throw StorageError.sealBroken }
    return try cipher.personKey(wrapped, person: person.id)
  }

  /// Decrypts a person's data. Only RevealMember returns them in full.
  func personalData(of person: StoredPerson) throws -> PersonalData {
    let key = try personKey(of: person)
    let table = PersonStore.table
    return PersonalData(
      name: try key.openText(person.name, table: table, column: "person_name"),
      residentID: try key.openText(person.residentID, table: table, column: "resident_id"),
      phone: try key.openText(person.phone, table: table, column: "phone"))
  }

  /// Returns the hashes by which a person is found.
  ///
  /// - Throws: `FieldFailure` if the resident ID is invalid.
  func hashes(of data: PersonalData) throws -> PersonHashes {
    let id = try ResidentID(checking: data.residentID, field: "resident_id")
    return PersonHashes(
      residentID: residentIDs.keyed(data.residentID), phone: phones.keyed(data.phone),
      birth: births.keyed(birth(id, data.name)))
  }

  /// Returns the text of name and birth date that is hashed.
  func birth(_ id: ResidentID, _ name: String) -> String { "\(id.birthDate) \(name)" }

  /// Returns a new person, sealed under a new key.
  func seal(
    _ data: PersonalData, personID: String
  ) throws -> (key: PersonKey, person: StoredPerson) {
    let (key, wrapped) = try cipher.newPersonKey(person: personID)
    let table = PersonStore.table
    return (
      key,
      StoredPerson(
        id: personID, wrappedKey: wrapped,
        name: try key.seal(data.name, table: table, column: "person_name"),
        residentID: try key.seal(data.residentID, table: table, column: "resident_id"),
        phone: try key.seal(data.phone, table: table, column: "phone"))
    )
  }
}
