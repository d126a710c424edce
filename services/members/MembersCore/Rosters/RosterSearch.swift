import MembersV1
import ServiceKit
import Storage

/// What the person of a roster's row is found by, and what tells whether the name is theirs.
///
/// A name is compared by its hash with the birth date, which the resident ID says: nothing is
/// opened. Of a row with a SHA-256 only the birth date is not known, and the stored name is.
struct RosterSearch: Sendable {
  /// Hashes of the resident ID; none where the row names nobody.
  let persons: [[UInt8]]
  /// Hashes of the name and the birth date; none where there is no name to compare, or no date.
  let names: [[UInt8]]
  /// The normalized name; nil where there is none to compare.
  let name: String?
  /// The row's name is none that a person has.
  let isMisnamed: Bool

  /// The name is compared with the stored one.
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
