import MembersV1
import ServiceKit
import Storage

/// What identifies a person, in clear: only ever in memory.
struct PersonalData: Sendable {
  var name: String
  var residentID: String
  /// E.164.
  var phone: String
}

extension MembersKeys {
  /// The key of a person's data.
  ///
  /// - Throws: `StorageError.sealBroken` once the person was erased.
  func personKey(of person: StoredPerson) throws -> PersonKey {
    guard let wrapped = person.wrappedKey else { throw StorageError.sealBroken }
    return try cipher.personKey(wrapped, person: person.id)
  }

  /// Opens a person's data. In full they leave only through RevealMember.
  func personalData(of person: StoredPerson) throws -> PersonalData {
    let key = try personKey(of: person)
    let table = PersonStore.table
    return PersonalData(
      name: try key.openText(person.name, table: table, column: "person_name"),
      residentID: try key.openText(person.residentID, table: table, column: "resident_id"),
      phone: try key.openText(person.phone, table: table, column: "phone"))
  }

  /// What a person is found by.
  ///
  /// - Throws: `FieldFailure` where the resident ID is none.
  func hashes(of data: PersonalData) throws -> PersonHashes {
    let id = try ResidentID(checking: data.residentID, field: "resident_id")
    return PersonHashes(
      residentID: residentIDs.keyed(data.residentID), phone: phones.keyed(data.phone),
      birth: births.keyed(birth(id, data.name)))
  }

  /// The text whose hash finds persons of one name and birth date.
  func birth(_ id: ResidentID, _ name: String) -> String { "\(id.birthDate) \(name)" }

  /// A new person's row, sealed with a fresh key of their own.
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
