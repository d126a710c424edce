import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// The subject of a request for personal data.
enum DataSubject: Sendable {
  case member(id: String)
  /// A person who applied but never became a member, given by one of their applications.
  case applicant(enrollmentID: String)
}

extension Caller {
  /// Returns the subject named by a request: a member or an application for staff, the caller for
  /// members.
  func dataSubject(named name: String) throws(FieldFailure) -> DataSubject {
    guard kind == .staff, name.hasPrefix("enrollments/") else {
      return .member(id: try member(named: name))
    }
    return .applicant(
      enrollmentID: try ResourceName.parse(name, collection: "enrollments", field: "name"))
  }
}

extension KnownPerson {
  /// Returns the person of an application, for staff with the application in their subtree.
  ///
  /// - Throws: ``MembersError/enrollmentNotFound``, also after erasure and if the person has a
  ///   membership elsewhere; IS_MEMBER if the caller may see the membership.
  static func applicant(
    _ known: KnownPerson?, of placed: PlacedEnrollment?, in scope: StaffScope
  ) throws -> StoredPerson {
    guard let known, let placed, scope.holds(placed.memberPath ?? placed.path),
      !known.person.isErased
    else { throw MembersError.enrollmentNotFound }
    if let member = known.member {
      guard scope.holds(member.managingPath) else { throw MembersError.enrollmentNotFound }
      throw FieldFailure(
        field: "name", reason: "IS_MEMBER",
        text: LocalizedText(
          zh: "该人员有会籍，请按会员办理。", en: "The person has a membership: name the member."))
    }
    return known.person
  }
}

extension MembersService {
  /// Erases a person who applied but never became a member. Only the outcomes of the applications
  /// remain.
  func eraseApplicant(
    _ request: ErasePersonalDataRequest, context: ServerContext
  ) async throws -> ErasePersonalDataResponse {
    let caller = try context.caller
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id = checks.resource(request.name, of: "enrollments", "name") ?? ""
    let reason = checks.take { () throws(FieldFailure) in
      try caller.checked(reason: request.reason)
    }
    try checks.check()
    let (keys, now) = (keys, clock.now)
    let audit = AuditEntry(
      actor: caller.subject, action: "members.erase", target: request.name, reason: reason ?? "")
    let bytes = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(
        StaffScope.query(of: caller), EnrollmentStore.byID(id), MemberStore.applicant(of: id)
      ) { scope, placed, known in
        let person = try KnownPerson.applicant(known, of: placed, in: scope)
        return .read(PersonStore.byID(person.id)) { stored in
          try keys.takeUp(hashKey: stored?.hashKey ?? 0)
          let hashes = try keys.hashes(of: try keys.personalData(of: person))
          return PersonalDataStore.open(of: [person.id]) { open in
            var commit = Commit(at: now)
            try PersonalDataStore.erase(
              person, isMember: false, hashes: hashes, open: open, into: &commit)
            commit.record(audit)
            return .commit(commit, try ErasePersonalDataResponse().wireBytes())
          }
        }
      }
    }
    return try ErasePersonalDataResponse(wireBytes: bytes)
  }
}
