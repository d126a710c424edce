import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// Who makes an application, and how to answer them.
struct EnrollmentCaller: Sendable {
  var caller: Caller
  /// Path of the method: request ids are scoped to it.
  var method: String
  var language: Language

  var isStaff: Bool { caller.kind == .staff }
}

extension EnrollmentCaller {
  init(_ context: ServerContext) throws {
    self.init(
      caller: try context.caller, method: context.method.path, language: context.language)
  }
}

/// One application on its way in, with all that the decision takes from outside: time, identifiers,
/// random numbers, keys. The decision may run more than once, and must come out the same.
struct EnrollmentIntake: Sendable {
  let by: EnrollmentCaller
  let application: CheckedApplication
  let now: Date
  let enrollmentID: String
  let duplicateIDs: [String]
  let numbers: [String]
  let memberCode: MemberCode
  let hashes: PersonHashes
  /// A new person's key, row and sealed data, made before it is known whether the person is new: a
  /// known one costs the same.
  let newKey: PersonKey
  let newPerson: StoredPerson
  /// The application's bytes as they are sealed for the enrollment.
  let applicationBytes: [UInt8]

  init(
    _ application: CheckedApplication, by: EnrollmentCaller, keys: MembersKeys, now: Date,
    ids: IDSource
  ) throws {
    self.by = by
    self.application = application
    self.now = now
    enrollmentID = ids.next()
    duplicateIDs = [ids.next(), ids.next()]
    numbers = MemberNumber.some(from: ids)
    memberCode = MemberCode(random: ids.next())
    let data = PersonalData(
      name: application.personName.text, residentID: application.residentID.text,
      phone: application.phone.text)
    hashes = try keys.hashes(of: data)
    (newKey, newPerson) = try keys.seal(data, personID: ids.next())
    applicationBytes = try application.message.wireBytes()
  }

  var act: Act { Act(actor: by.caller.subject, now: now) }

  /// Microseconds since 1970.
  var microseconds: Int64 { now.microsecondsSince1970 }

  /// The application, sealed for its enrollment.
  func sealedApplication(_ key: PersonKey) throws -> [UInt8] {
    try key.seal(applicationBytes, table: EnrollmentStore.table, column: "application")
  }
}
