import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage

extension MembersService {
  /// Takes in one application: the one path of SubmitEnrollment and of every record of a stream.
  ///
  /// One write: the ledger, what is known of the person, the organizations that may receive, then a
  /// pure decision, then all of it in one commit.
  ///
  /// - Parameter isDryRun: Whether to decide and store nothing; the request id is not looked at.
  /// - Throws: ``CommonFailure``, ``MembersError/noReceiver``, ``MembersError/membershipClosed``.
  func enroll(
    _ application: EnrollmentApplication?, requestID: String, isDryRun: Bool = false,
    by caller: EnrollmentCaller
  ) async throws -> Enrollment {
    let now = clock.now
    let (id, checked) = try check(
      application, requestID: isDryRun ? nil : requestID, by: caller, now: now)
    let intake = try EnrollmentIntake(checked, by: caller, keys: keys, now: now, ids: ids)
    let payload = try (application ?? EnrollmentApplication()).wireBytes()
    let key = RequestKey(caller: caller.caller.subject, method: caller.method, requestID: id)
    let keys = keys
    guard !isDryRun else { return try await preview(intake) }
    let reply = try await database.write {
      keys.ledger.once(key, payload: payload, at: now) {
        EnrollmentFacts.read(for: intake) { facts in
          try EnrollmentDecision(intake: intake, facts: facts, keys: keys).step()
        }
      }
    }
    return try Enrollment(wireBytes: reply)
  }

  /// What would become of an application: the same decision, of which only the reply is kept.
  private func preview(_ intake: EnrollmentIntake) async throws -> Enrollment {
    let keys = keys
    let reply = try await database.write {
      try EnrollmentFacts.read(for: intake) { facts in
        try EnrollmentDecision(intake: intake, facts: facts, keys: keys).step()
      }
      .finish { _, reply in .reply(reply) }
    }
    var enrollment = try Enrollment(wireBytes: reply)
    enrollment.name = ""
    enrollment.member = ""
    enrollment.etag = ""
    return enrollment
  }

  /// - Parameter requestID: nil where none is needed.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every wrong field.
  private func check(
    _ application: EnrollmentApplication?, requestID: String?, by caller: EnrollmentCaller,
    now: Date
  ) throws -> (requestID: String, application: CheckedApplication) {
    var failures = FieldFailures()
    let id = failures.take { () throws(FieldFailure) in
      try requestID.map { (text) throws(FieldFailure) in try RequestID.parse(text) } ?? ""
    }
    let signer = keys.codes
    let checked = CheckedApplication(
      checking: application, channel: caller.isStaff ? .bulkImport : .partner,
      now: now.microseconds,
      codes: { (text) throws(MembersError) in
        try OrganizationCodeText(scanned: text, signedBy: signer).id
      }, failures: &failures)
    try failures.check()
    guard let id, let checked else { throw CommonFailure.invalidFields(failures.failures) }
    return (id, checked)
  }
}

/// All that a decision about an application reads, from one snapshot.
struct EnrollmentFacts: Sendable {
  var scope: StaffScope
  var known: KnownPerson?
  /// The oldest person with the phone.
  var withPhone: String?
  /// The oldest person with the name and birth date.
  var withBirth: String?
  var takenNumbers: Set<String>
  /// The scanned code and the organization behind it.
  var code: StoredCode?
  var codeOrganization: StoredOrganization?
  /// Active organizations that the routing rules may choose from.
  var candidates: [StoredOrganization]
  var regions: [RegionSetting]

  static func read(
    for intake: EnrollmentIntake,
    then decide: @escaping @Sendable (EnrollmentFacts) throws -> Step<[UInt8]>
  ) -> Step<[UInt8]> {
    let application = intake.application
    let codeID = application.organizationCodeID ?? ""
    return .read(
      StaffScope.query(of: intake.by.caller),
      MemberStore.byResidentID(intake.hashes.residentID),
      PersonStore.oldest(with: intake.hashes.phone),
      PersonStore.oldest(with: intake.hashes.birth),
      MemberStore.taken(intake.numbers),
      CodeStore.byID(codeID),
      OrganizationStore.byCode(codeID),
      OrganizationStore.candidates(
        regionCodes: application.message.candidateRegionCodes,
        employerCreditCode: application.employerCreditCode),
      RegionSettingStore.byRegions(application.message.settingRegionCodes)
    ) { scope, known, phone, birth, taken, code, codeOrganization, candidates, regions in
      try decide(
        EnrollmentFacts(
          scope: scope, known: known, withPhone: phone, withBirth: birth, takenNumbers: taken,
          code: code, codeOrganization: codeOrganization, candidates: candidates,
          regions: regions))
    }
  }
}
