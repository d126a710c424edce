import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Processes one application, from SubmitEnrollment or from a record of a stream.
  ///
  /// One write: reads the ledger, the known person and the candidate organizations, takes a pure
  /// decision, and stores everything in one commit.
  ///
  /// - Parameter isDryRun: Whether to decide without storing anything; the request id is ignored
  ///   then.
  /// - Throws: ``CommonFailure``, ``RoutedElsewhere``, ``MembersError/noReceiver``,
  ///   ``MembersError/membershipClosed``.
  func enroll(
    _ application: EnrollmentApplication?, requestID: String, isDryRun: Bool = false,
    by caller: EnrollmentCaller
  ) async throws -> Enrollment {
    try await enroll(
      try entry(application, requestID: requestID, isDryRun: isDryRun, by: caller))
  }

  /// The scope of request ids: SubmitEnrollment and EnrollMembers share it, so that a record sent
  /// by the other method is a retry too.
  private static let enrolling = "/yijia.members.v1.MembersService/SubmitEnrollment"

  /// Processes a validated application.
  func enroll(_ entry: EnrollmentEntry) async throws -> Enrollment {
    let step = try entry.step(keys)
    return try entry.enrollment(of: try await database.write { step })
  }

  /// Validates an application, and prepares everything that its decision takes from outside.
  ///
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  func entry(
    _ application: EnrollmentApplication?, requestID: String, isDryRun: Bool,
    by caller: EnrollmentCaller
  ) throws -> EnrollmentEntry {
    let now = clock.now
    let (id, checked) = try check(
      application, requestID: isDryRun ? nil : requestID, by: caller, now: now)
    return EnrollmentEntry(
      intake: try EnrollmentIntake(checked, by: caller, keys: keys, now: now, ids: ids),
      key: RequestKey(caller: caller.caller.subject, method: Self.enrolling, requestID: id),
      payload: try (application ?? EnrollmentApplication()).wireBytes(), isDryRun: isDryRun)
  }

  /// - Parameter requestID: `nil` if none is required.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  private func check(
    _ application: EnrollmentApplication?, requestID: String?, by caller: EnrollmentCaller,
    now: Date
  ) throws -> (requestID: String, application: CheckedApplication) {
    var checks = FieldChecks()
    let id = checks.take { () throws(FieldFailure) in
      try requestID.map { (text) throws(FieldFailure) in try RequestID.parse(text) } ?? ""
    }
    let signer = keys.codes
    let checked = CheckedApplication(
      checking: application, channel: caller.standardChannel, needsCode: caller.isPerson,
      now: now.microseconds,
      codes: { (text) throws(MembersError) in
        try OrganizationCodeText(scanned: text, signedBy: signer).id
      }, checks: &checks)
    try checks.check()
    guard let id, let checked else { throw CommonFailure.invalidFields(checks.failures) }
    return (id, checked)
  }
}

extension EnrollmentCaller {
  /// The channel of an application without one.
  fileprivate var standardChannel: Channel {
    switch caller.kind {
    case .staff: .bulkImport
    case .member: .qrScan
    default: .partner
    }
  }
}

/// A validated application as a write: idempotent by request id, or a dry run.
struct EnrollmentEntry: Sendable {
  let intake: EnrollmentIntake
  let key: RequestKey
  let payload: [UInt8]
  let isDryRun: Bool

  /// Returns the write. Prepared in advance, because the single writer should only decide and
  /// store.
  func step(_ keys: MembersKeys) throws -> Step<[UInt8]> {
    let intake = intake
    let decide = { @Sendable (facts: EnrollmentFacts) in
      try EnrollmentDecision(intake: intake, facts: facts, keys: keys).step()
    }
    let isHiding = isDryRun && intake.by.isStaff
    let decision = EnrollmentFacts.read(for: intake) { facts in
      isHiding ? facts.shown(to: intake.by.caller, then: decide) : try decide(facts)
    }
    let counted = intake.by.isPerson ? limited(decision) : decision
    // A dry run takes the same decision, but keeps only the reply.
    if isDryRun { return try counted.finish { _, reply in .reply(reply) } }
    return keys.ledger.once(key, payload: payload, at: intake.now) { counted }
  }

  /// The maximum number of applications of one person's sign-in: those of a family.
  static let ofPersonMax = 10

  private func limited(_ decision: Step<[UInt8]>) -> Step<[UInt8]> {
    .read(
      EnrollmentStore.made(
        by: intake.by.caller.subject, after: .integer(0), .text(""), limit: Self.ofPersonMax)
    ) { made in
      guard made.count < Self.ofPersonMax else { throw MembersError.applicationLimit }
      return decision
    }
  }

  /// Decodes the reply for the caller. That of a dry run omits everything that is not stored.
  func enrollment(of reply: [UInt8]) throws -> Enrollment {
    var enrollment = try Enrollment(wireBytes: reply)
    if isDryRun {
      enrollment.name = ""
      enrollment.member = ""
      enrollment.etag = ""
    }
    return enrollment
  }

  /// The keys that must be unique among the entries of one commit, because entries are decided
  /// independently.
  var marks: [Mark] {
    let hashes = intake.hashes
    return [hashes.residentID, hashes.phone, hashes.birth].map { .person($0[0].digest) }
      + (isDryRun ? [] : [.request(key.requestID)])
  }

  enum Mark: Sendable, Hashable {
    case request(String)
    case person([UInt8])
  }
}

/// The data read for a decision on an application, from one snapshot.
struct EnrollmentFacts: Sendable {
  var scope: StaffScope
  var known: KnownPerson?
  /// The newest person with the phone number.
  var withPhone: String?
  /// The newest person with the name and birth date.
  var withBirth: String?
  /// Those with whom a new person is compared.
  var lookAlikes: [(kind: DuplicateCase.Kind, personID: String)] = []
  var takenNumbers: Set<String>
  /// The scanned code.
  var code: StoredCode?
  /// The organization of the scanned code.
  var codeOrganization: StoredOrganization?
  /// The active organizations among which the routing rules choose.
  var candidates: [StoredOrganization]
  /// The settings of the applicant's regions; those of the pool's regions if a pool's code was
  /// scanned.
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
      PersonStore.newest(with: intake.hashes.phone),
      PersonStore.newest(with: intake.hashes.birth),
      MemberStore.taken(Array(intake.numbers.prefix(MemberNumber.askedFirst))),
      CodeStore.byID(codeID),
      OrganizationStore.byCode(codeID),
      OrganizationStore.candidates(
        regionCodes: application.message.candidateRegionCodes,
        employerCreditCode: application.employerCreditCode),
      RegionSettingStore.byRegions(application.message.settingRegionCodes)
    ) { scope, known, phone, birth, taken, code, codeOrganization, candidates, regions in
      let facts = EnrollmentFacts(
        scope: scope, known: known, withPhone: phone, withBirth: birth, takenNumbers: taken,
        code: code, codeOrganization: codeOrganization, candidates: candidates, regions: regions)
      // A scanned pool may be in another region than the applicant.
      let pool = codeOrganization?.kind == .holdingPool ? codeOrganization : nil
      guard pool != nil || taken.count == MemberNumber.askedFirst else {
        return try facts.compared(intake, then: decide)
      }
      return .read(
        RegionSettingStore.byRegions(
          pool?.settingRegionCodes ?? application.message.settingRegionCodes),
        MemberStore.taken(intake.numbers)
      ) { settings, taken in
        var facts = facts
        facts.regions = settings
        facts.takenNumbers = taken
        return try facts.compared(intake, then: decide)
      }
    }
  }

  /// Reads the look-alikes of a new person. Most have none, and cost no further read.
  private func compared(
    _ intake: EnrollmentIntake,
    then decide: @escaping @Sendable (EnrollmentFacts) throws -> Step<[UInt8]>
  ) throws -> Step<[UInt8]> {
    guard known == nil, withPhone != nil || withBirth != nil else { return try decide(self) }
    let facts = self
    return .read(
      PersonStore.lookAlikes(with: intake.hashes.phone),
      PersonStore.lookAlikes(with: intake.hashes.birth)
    ) { withPhone, withBirth in
      var facts = facts
      for id in withPhone { facts.lookAlikes.append((.phone, id)) }
      for id in withBirth { facts.lookAlikes.append((.nameAndBirthDate, id)) }
      return try decide(facts)
    }
  }
}
