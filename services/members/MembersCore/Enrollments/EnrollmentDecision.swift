import MembersV1
import Protobuf
import ServiceKit
import Storage
import YijiaTypeV1

/// The decision on one application. Pure: depends only on the facts and the intake.
///
/// Callers who must not learn whether the person is known (partners, staff without the person in
/// their scope, and whoever proved no more than a phone) get the same checks, refusals, neutral
/// enrollment and number of commits for everybody. Only the member and staff with the member in
/// their scope see the member.
struct EnrollmentDecision: Sendable {
  let intake: EnrollmentIntake
  let facts: EnrollmentFacts
  let keys: MembersKeys

  /// - Throws: ``MembersError``, ``RoutedElsewhere``, ``CommonFailure`` for refusals, which store
  ///   nothing.
  func step() throws -> Step<[UInt8]> {
    try checkPerson()
    if intake.by.isStaff || isSelf, let member = facts.known?.member,
      isSelf || facts.scope.holds(member.managingPath)
    {
      if member.member.state.isClosed { throw MembersError.membershipClosed }
      if member.member.state.isLive { return try existing(member, isShown: true) }
    }
    try checkCode()
    let receiver = try receiver()
    if intake.by.isStaff, !facts.scope.reaches(receiver.organization) {
      throw RoutedElsewhere(receiver: receiver.organization)
    }
    guard let known = facts.known else {
      return receiver.waitsForApproval ? try pending(receiver) : try admitted(receiver)
    }
    if known.openEnrollmentID != nil { return try held(receiver) }
    if let member = known.member {
      if member.member.state.isLive { return try existing(member, isShown: false) }
      if member.member.state.isClosed { return try refused(member) }
    }
    return try receiver.waitsForApproval || isUnproven(known)
      ? try pending(receiver) : try admitted(receiver, former: known.member?.member)
  }

  /// Whether the caller is the member, or was one before, and applies for themselves.
  private var isSelf: Bool {
    intake.by.isPerson && facts.known.map { "members/\($0.person.id)" } == intake.by.caller.subject
  }

  /// The caller in logs, which are append-only: an applicant's subject is a keyed hash of their
  /// phone, which an erasure must remove, so their application stands for them.
  private var actor: String {
    intake.by.isPerson && !isSelf
      ? "enrollments/\(intake.enrollmentID)" : intake.by.caller.subject
  }

  /// A person applies with their own resident ID, or else with the phone that they proved.
  private func checkPerson() throws {
    guard intake.by.isPerson, !isSelf else { return }
    let subjects = keys.applicantSubjects(phone: intake.application.phone.text)
    guard subjects.contains(intake.by.caller.subject) else {
      throw CommonFailure.invalidFields([.notOwn("application.phone")])
    }
  }

  /// Whether staff decide, because the record of a known person has another phone than the one that
  /// the caller proved.
  private func isUnproven(_ known: KnownPerson) throws -> Bool {
    guard intake.by.isPerson, !isSelf else { return false }
    return try keys.personalData(of: known.person).phone != intake.application.phone.text
  }

  // MARK: - Outcomes

  /// Admits the person as a member, for the first time or again. Reads the pool's terms first, if
  /// required.
  ///
  /// - Parameter former: The membership that the person left.
  private func admitted(
    _ receiver: Receiver, former: StoredMember? = nil
  ) throws -> Step<[UInt8]> {
    guard receiver.input == .joinPool else { return try admitted(receiver, former, nil) }
    return .read(PoolCaseStore.terms(of: receiver.organization)) { terms in
      try admitted(receiver, former, terms)
    }
  }

  private func admitted(
    _ receiver: Receiver, _ former: StoredMember?, _ terms: PoolTerms?
  ) throws -> Step<[UInt8]> {
    var commit = Commit(at: intake.now)
    let (person, key) = try person(at: receiver.organization.id, &commit)
    let member = try Admission(
      person: person, key: key, former: former, organizationID: receiver.organization.id,
      input: receiver.input, terms: terms, channel: channel, campaign: campaign,
      application: intake.application.message, numbers: intake.numbers,
      takenNumbers: facts.takenNumbers, code: intake.memberCode,
      enrollmentID: intake.enrollmentID, act: Act(actor: actor, now: intake.now),
      isKnown: facts.known != nil
    ).add(to: &commit)
    return try end(
      enrollment(
        try EnrollmentProgress.first(.admit), personID: person.id, receiver, memberID: member.id),
      key,
      isShown: true, commit)
  }

  /// Stores the enrollment as pending; it becomes the person's only open one.
  private func pending(_ receiver: Receiver) throws -> Step<[UInt8]> {
    var commit = Commit(at: intake.now)
    let (person, key) = try person(at: receiver.organization.id, &commit)
    let enrollment = enrollment(
      try EnrollmentProgress.first(.ask), personID: person.id, receiver, memberID: nil)
    commit.run(EnrollmentStore.open(enrollment.id, personID: person.id))
    // An organization with waiting applications can't be dissolved, and a dissolved one gets none.
    commit.run(OrganizationStore.isActive(receiver.organization.id))
    return try end(enrollment, key, isShown: true, commit)
  }

  /// Stores the enrollment as held, because another one of the person is open: staff judge which of
  /// them counts.
  private func held(_ receiver: Receiver) throws -> Step<[UInt8]> {
    var commit = Commit(at: intake.now)
    let (person, key) = try person(at: receiver.organization.id, &commit)
    commit.run(OrganizationStore.isActive(receiver.organization.id))
    return try end(
      enrollment(try EnrollmentProgress.first(.hold), personID: person.id, receiver, memberID: nil),
      key,
      isShown: true, commit)
  }

  /// Stores the enrollment of a person who is already a member, without further changes.
  private func existing(_ known: KnownMember, isShown: Bool) throws -> Step<[UInt8]> {
    try end(
      enrollment(try EnrollmentProgress.first(.admit), of: known, reason: .alreadyMember),
      try keys.personKey(of: known.person), isShown: isShown, Commit(at: intake.now))
  }

  /// Stores the enrollment of a person with a closed membership as refused. A refusal by an error
  /// would reveal the membership to callers other than staff.
  private func refused(_ known: KnownMember) throws -> Step<[UInt8]> {
    var enrollment = enrollment(
      try EnrollmentProgress.first(.decline), of: known, reason: .membershipClosed)
    enrollment.refusal = MembersError.membershipClosed.reason
    return try end(
      enrollment, try keys.personKey(of: known.person), isShown: false, Commit(at: intake.now))
  }

  // MARK: - Parts

  /// Returns the person, inserted first if new, with their data key.
  ///
  /// - Parameter organizationID: The organization of the enrollment.
  private func person(
    at organizationID: String, _ commit: inout Commit
  ) throws -> (StoredPerson, PersonKey) {
    if let known = facts.known {
      // Guards against a concurrent erasure, after which the person must not become a member.
      commit.run(PersonStore.isStill(known.person))
      return (known.person, try keys.personKey(of: known.person))
    }
    let person = intake.newPerson
    try PersonStore.insert(
      person, hashes: intake.hashes,
      newest: .init(withPhone: facts.withPhone, withBirth: facts.withBirth),
      created: intake.microseconds, into: &commit)
    guard !facts.lookAlikes.isEmpty else { return (person, intake.newKey) }
    let ids = DuplicateCase.ids(from: intake.duplicateID)
    for (id, (kind, other)) in zip(ids, facts.lookAlikes) {
      commit.run(
        EnrollmentStore.insert(
          DuplicateCase(
            id: id, kind: kind, personID: person.id,
            otherPersonID: other, enrollmentID: intake.enrollmentID,
            organizationID: organizationID, created: intake.microseconds)))
    }
    return (person, intake.newKey)
  }

  /// Returns the final step of every outcome: enrollment, event, audit entry and reply.
  private func end(
    _ enrollment: StoredEnrollment, _ key: PersonKey, isShown: Bool, _ commit: Commit
  ) throws -> Step<[UInt8]> {
    var commit = commit
    commit.run(
      EnrollmentStore.insert(enrollment, application: try intake.sealedApplication(key)))
    let caller = intake.by.caller
    commit.emit(
      try .changed(enrollment, audience: caller.kind == .partner ? caller.subject : nil))
    commit.record(
      AuditEntry(
        actor: actor, action: "enrollments.submit",
        target: "enrollments/\(enrollment.id)"))
    let message =
      isShown && (intake.by.isStaff || isSelf)
      ? enrollment.message(in: intake.by.language) : enrollment.neutralMessage
    return .commit(commit, try message.wireBytes())
  }
}

// MARK: - The enrollment

extension EnrollmentDecision {
  private var channel: Channel { facts.code?.channel ?? intake.application.channel }
  private var campaign: String { facts.code?.campaign ?? intake.application.campaign }

  private func enrollment(
    _ state: EnrollmentState, personID: String, _ receiver: Receiver, memberID: String?
  ) -> StoredEnrollment {
    StoredEnrollment(
      id: intake.enrollmentID, caller: intake.by.caller.subject, state: state, refusal: nil,
      personID: personID, memberID: memberID, organizationID: receiver.organization.id,
      route: receiver.route, routeReason: receiver.reason, codeID: facts.code?.id,
      group: intake.application.group, channel: channel, campaign: campaign,
      consentVersion: intake.application.consentVersion,
      consented: intake.application.consentMicroseconds, version: 1,
      created: intake.microseconds)
  }

  /// Returns the enrollment of a person who has a membership, assigned to the member's
  /// organization.
  private func enrollment(
    _ state: EnrollmentState, of known: KnownMember, reason: LocalizedText
  ) -> StoredEnrollment {
    StoredEnrollment(
      id: intake.enrollmentID, caller: intake.by.caller.subject, state: state, refusal: nil,
      personID: known.person.id, memberID: known.member.id,
      organizationID: known.member.managingOrganizationID, route: .unspecified, routeReason: reason,
      codeID: facts.code?.id, group: intake.application.group, channel: channel,
      campaign: campaign, consentVersion: intake.application.consentVersion,
      consented: intake.application.consentMicroseconds, version: 1,
      created: intake.microseconds)
  }
}

extension LocalizedText {
  fileprivate static let alreadyMember = LocalizedText(
    zh: "该人员已是会员。", en: "The person is a member already.")
  fileprivate static let membershipClosed = LocalizedText(
    zh: "该人员的会籍已终止。", en: "The person's membership is closed.")
}
