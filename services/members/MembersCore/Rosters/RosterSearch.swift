import MembersV1
import ServiceKit
import Storage

/// The lookup keys of a roster row: of the person, and for checking the name.
///
/// A name is compared by its hash with the birth date from the resident ID, so that nothing must be
/// decrypted. A row with only a SHA-256 has no birth date: its name is compared with the decrypted
/// one.
struct RosterSearch: Sendable {
  /// The hashes of the resident ID; empty if the row has no valid one.
  let persons: [[UInt8]]
  /// The hashes of name and birth date; empty if either is missing.
  let names: [[UInt8]]
  /// The normalized name; `nil` if there is none to compare.
  let name: String?
  /// Whether the row's name is not a valid name of a person.
  let isMisnamed: Bool

  /// Whether the name must be compared with the decrypted stored one.
  var mustBeOpened: Bool { name != nil && names.isEmpty }

  init(_ row: RosterRow, _ keys: MembersKeys) {
    let id =
      row.residentID.isEmpty
      ? nil : try? ResidentID(checking: row.residentID, field: "resident_id")
    if let id {
      persons = keys.residentIDs.candidates(id.text)
    } else {
      persons =
        row.residentID.isEmpty
        ? keys.residentIDs.candidates(sha256: row.residentIDSHA256) ?? [] : []
    }
    let name =
      row.personName.isEmpty
      ? nil : try? PersonName(checking: row.personName, field: "person_name").text
    self.name = name
    isMisnamed = !row.personName.isEmpty && name == nil
    names =
      if let id, let name { keys.births.candidates(keys.birth(id, name)) } else { [] }
  }
}
