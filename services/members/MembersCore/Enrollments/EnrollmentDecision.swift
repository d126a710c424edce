import MembersV1
import Protobuf
import ServiceKit
import Storage
import YijiaTypeV1

/// What becomes of one application: pure, from what was read and what was brought along.
///
/// A caller who must not learn whether the person was known (a partner; staff in whose scope the
/// person is not) takes the same way for everybody: the same checks, the same refusals, the same
/// neutral enrollment, the same number of commits. Only staff in whose scope a member is get to
/// see the member.
struct EnrollmentDecision: Sendable {
  let intake: EnrollmentIntake
  let facts: EnrollmentFacts
  let keys: MembersKeys

  /// - Throws: ``MembersError``, ``CommonFailure``: the refusals, with nothing stored.
  func step() throws -> Step<[UInt8]> {
    if intake.by.isStaff, let member = facts.known?.member {
      if member.member.state.isClosed { throw MembersError.membershipClosed }
      if member.member.state.isLive, facts.scope.holds(member.managingPath) {
        return try existing(member, isShown: true)
      }
    }
    try checkCode()
    let receiver = try receiver()
    if intake.by.isStaff, !facts.scope.reaches(receiver.organization) {
      throw CommonFailure.outOfScope
    }
    guard let known = facts.known else {
      return receiver.waitsForApproval ? try pending(receiver) : try admitted(receiver)
    }
    if known.openEnrollmentID != nil { return try held(receiver) }
    guard let member = known.member else {
      return receiver.waitsForApproval ? try pending(receiver) : try admitted(receiver)
    }
    if member.member.state.isLive { return try existing(member, isShown: false) }
    if member.member.state.isClosed { return try refused(member) }
    return receiver.waitsForApproval
      ? try pending(receiver) : try admitted(receiver, former: member.member)
  }

  // MARK: - Outcomes

  /// The person becomes a member, or one again; what a pool asks for is read first.
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
    let (person, key) = try person(&commit)
    let member = try Admission(
      person: person, key: key, former: former, organizationID: receiver.organization.id,
      input: receiver.input, terms: terms, channel: channel, campaign: campaign,
      application: intake.application.message, numbers: intake.numbers,
      takenNumbers: facts.takenNumbers, code: intake.memberCode,
      enrollmentID: intake.enrollmentID, act: intake.act
    ).add(to: &commit)
    return try end(
      enrollment(
        try EnrollmentProgress.first(.admit), personID: person.id, receiver, memberID: member.id),
      key,
      isShown: true, commit)
  }

  /// The application waits for approval: the person's one open application.
  private func pending(_ receiver: Receiver) throws -> Step<[UInt8]> {
    var commit = Commit(at: intake.now)
    let (person, key) = try person(&commit)
    let enrollment = enrollment(
      try EnrollmentProgress.first(.ask), personID: person.id, receiver, memberID: nil)
    commit.run(EnrollmentStore.open(enrollment.id, personID: person.id))
    return try end(enrollment, key, isShown: true, commit)
  }

  /// Another application of the person waits already: people judge which one counts.
  private func held(_ receiver: Receiver) throws -> Step<[UInt8]> {
    var commit = Commit(at: intake.now)
    let (person, key) = try person(&commit)
    return try end(
      enrollment(try EnrollmentProgress.first(.hold), personID: person.id, receiver, memberID: nil),
      key,
      isShown: true, commit)
  }

  /// The person is a member already: nothing changes but that the application is on record.
  private func existing(_ known: KnownMember, isShown: Bool) throws -> Step<[UInt8]> {
    try end(
      enrollment(try EnrollmentProgress.first(.admit), of: known, reason: .alreadyMember),
      try keys.personKey(of: known.person), isShown: isShown, Commit(at: intake.now))
  }

  /// The person's membership is closed. A caller other than staff must not learn it from a refusal:
  /// the application is taken in, and refused on record.
  private func refused(_ known: KnownMember) throws -> Step<[UInt8]> {
    var enrollment = enrollment(
      try EnrollmentProgress.first(.decline), of: known, reason: .membershipClosed)
    enrollment.refusal = MembersError.membershipClosed.reason
    return try end(
      enrollment, try keys.personKey(of: known.person), isShown: false, Commit(at: intake.now))
  }

  // MARK: - Parts

  /// The person, stored first where new, and the key of their data.
  private func person(_ commit: inout Commit) throws -> (StoredPerson, PersonKey) {
    if let known = facts.known {
      // Who is erased meanwhile must not become a member again.
      commit.run(PersonStore.isStill(known.person))
      return (known.person, try keys.personKey(of: known.person))
    }
    let person = intake.newPerson
    PersonStore.insert(
      person, hashes: intake.hashes,
      lookAlikes: .init(withPhone: facts.withPhone, withBirth: facts.withBirth),
      created: intake.microseconds, into: &commit)
    let others = [
      (DuplicateCase.Kind.phone, facts.withPhone), (.nameAndBirthDate, facts.withBirth),
    ]
    for (index, (kind, other)) in others.enumerated() {
      guard let other else { continue }
      commit.run(
        EnrollmentStore.insert(
          DuplicateCase(
            id: intake.duplicateIDs[index], kind: kind, personID: person.id,
            otherPersonID: other, enrollmentID: intake.enrollmentID,
            created: intake.microseconds)))
    }
    return (person, intake.newKey)
  }

  /// Every outcome ends so: the enrollment, its event, the audit entry, the reply.
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
        actor: caller.subject, action: "enrollments.submit",
        target: "enrollments/\(enrollment.id)"))
    let message =
      isShown && intake.by.isStaff
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

  /// The enrollment of a person who has a membership, placed where the membership is.
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
