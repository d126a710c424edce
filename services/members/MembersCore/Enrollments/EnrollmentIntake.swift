import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// The caller of an enrollment, with the language of the reply.
struct EnrollmentCaller: Sendable {
  var caller: Caller
  var language: Language

  var isStaff: Bool { caller.kind == .staff }

  /// Whether a person applies for themselves.
  var isPerson: Bool { caller.kind == .member }
}

extension EnrollmentCaller {
  init(_ context: ServerContext) throws {
    self.init(caller: try context.caller, language: context.language)
  }
}

/// An application with everything that its decision takes from outside: time, identifiers, random
/// numbers and keys. The decision may run more than once and must be deterministic.
struct EnrollmentIntake: Sendable {
  let by: EnrollmentCaller
  let application: CheckedApplication
  let now: Date
  let enrollmentID: String
  /// The base of the identifiers of the duplicates that the application may reveal.
  let duplicateID: String
  let numbers: [String]
  let memberCode: MemberCode
  let hashes: PersonHashes
  /// The data key for a new person. Created for known persons, too, so that they take the same
  /// time.
  let newKey: PersonKey
  /// The sealed row for a new person.
  let newPerson: StoredPerson
  /// The serialized application, to be sealed for the enrollment.
  let applicationBytes: [UInt8]

  init(
    _ application: CheckedApplication, by: EnrollmentCaller, keys: MembersKeys, now: Date,
    ids: IDSource
  ) throws {
    self.by = by
    self.application = application
    self.now = now
    enrollmentID = ids.next()
    duplicateID = ids.next()
    numbers = MemberNumber.some(from: ids)
    memberCode = MemberCode(random: ids.next())
    let data = PersonalData(
      name: application.personName.text, residentID: application.residentID.text,
      phone: application.phone.text)
    hashes = try keys.hashes(of: data)
    (newKey, newPerson) = try keys.seal(data, personID: ids.next())
    applicationBytes = try application.message.wireBytes()
  }

  /// The instant in microseconds since 1970.
  var microseconds: Int64 { now.microseconds }

  /// Returns the application, sealed for the enrollment.
  func sealedApplication(_ key: PersonKey) throws -> [UInt8] {
    try key.seal(applicationBytes, table: EnrollmentStore.table, column: "application")
  }
}
