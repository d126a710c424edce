import Foundation
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// A decision on an undecided enrollment: approval, refusal or withdrawal.
struct EnrollmentReview: Sendable {
  let input: EnrollmentProgress.Input
  let enrollmentID: String
  var etag = ""
  /// The name of the refusal's reason.
  var refusal: String?
  /// The note for the audit log.
  var note = ""
  let by: EnrollmentCaller
  let now: Date
  /// The candidate member numbers of an admission.
  let numbers: [String]
  /// The member code of an admission.
  let memberCode: MemberCode
  let keys: MembersKeys

  init(
    _ input: EnrollmentProgress.Input, of enrollmentID: String, by: EnrollmentCaller,
    service: MembersService
  ) {
    self.input = input
    self.enrollmentID = enrollmentID
    self.by = by
    now = service.clock.now
    keys = service.keys
    let ids = service.ids
    numbers = MemberNumber.some(from: ids)
    memberCode = MemberCode(random: ids.next())
  }

  func step() -> Step<[UInt8]> {
    .read(
      StaffScope.query(of: by.caller), EnrollmentStore.byID(enrollmentID),
      MemberStore.applicant(of: enrollmentID), OrganizationStore.receiver(of: enrollmentID),
      EnrollmentStore.application(of: enrollmentID), MemberStore.taken(numbers),
      EnrollmentStore.others(of: input == .approve ? enrollmentID : "")
    ) { scope, placed, applicant, receiver, sealed, taken, others in
      guard let placed, let applicant, let receiver, let sealed,
        placed.isVisible(to: by.caller, scope)
      else {
        throw MembersError.enrollmentNotFound
      }
      return .read(PoolCaseStore.terms(of: receiver)) { terms in
        try decide(
          Facts(
            scope: scope, placed: placed, applicant: applicant, receiver: receiver,
            sealed: sealed, taken: taken, terms: terms, others: others.map(\.enrollment)))
      }
    }
  }

  /// The data read for the decision, from one snapshot except for the terms.
  private struct Facts: Sendable {
    var scope: StaffScope
    var placed: PlacedEnrollment
    var applicant: KnownPerson
    var receiver: StoredOrganization
    /// The sealed application.
    var sealed: [UInt8]
    var taken: Set<String>
    /// The terms of the receiver's cases, for a receiver that is a pool.
    var terms: PoolTerms
    /// The person's other undecided enrollments, which an approval settles.
    var others: [StoredEnrollment]
  }

  private func decide(_ facts: Facts) throws -> Step<[UInt8]> {
    let placed = facts.placed
    // The submitter may withdraw, too; other decisions require the receiver in scope.
    guard facts.scope.holds(placed.path) || input == .withdraw else {
      throw CommonFailure.outOfScope
    }
    try Etag.check(etag, placed.enrollment.version)
    var progress = EnrollmentProgress(placed.enrollment.state)
    guard let action = try action(&progress) else {
      return try end(placed.enrollment, Commit(at: now))
    }
    var enrollment = placed.enrollment
    enrollment.state = progress.state
    enrollment.refusal = refusal
    enrollment.version += 1
    var commit = Commit(at: now)
    if action == .close || action == .closeAndAdmit {
      commit.run(EnrollmentStore.close(enrollment))
    }
    if action == .admit || action == .closeAndAdmit {
      guard facts.receiver.state == .active else { throw MembersError.organizationNotActive }
      enrollment.memberID = try admit(facts, enrollment, &commit)
      for other in facts.others { try settle(other, &commit) }
    }
    commit.run(EnrollmentStore.decide(enrollment))
    // Visible to services only, because it reveals to a partner that there was something to decide.
    commit.emit(try .changed(enrollment, audience: nil))
    return try end(enrollment, commit)
  }

  /// Returns the action; `nil` if nothing is to be done, which must not be revealed to a partner.
  private func action(
    _ progress: inout EnrollmentProgress
  ) throws(MembersError) -> EnrollmentProgress.Action? {
    do {
      return try progress.apply(input)
    } catch {
      if by.isStaff { throw error }
      return nil
    }
  }

  /// Refuses another enrollment of a person who is admitted, as a duplicate.
  private func settle(_ other: StoredEnrollment, _ commit: inout Commit) throws {
    var (settled, progress) = (other, EnrollmentProgress(other.state))
    if try progress.apply(.refuse) == .close { commit.run(EnrollmentStore.close(other)) }
    settled.state = progress.state
    settled.refusal = Self.duplicate
    settled.version += 1
    commit.run(EnrollmentStore.decide(settled))
    commit.emit(try .changed(settled, audience: nil))
    commit.record(
      AuditEntry(
        actor: by.caller.subject, action: "enrollments.refuse",
        target: "enrollments/\(settled.id)", reason: Self.duplicate))
  }

  private static let duplicate = "DUPLICATE"

  /// - Returns: The identifier of the new or existing member.
  private func admit(
    _ facts: Facts, _ enrollment: StoredEnrollment, _ commit: inout Commit
  ) throws -> String {
    let applicant = facts.applicant
    if let member = applicant.member?.member {
      if member.state.isLive { return member.id }
      if member.state.isClosed { throw MembersError.membershipClosed }
    }
    guard !applicant.person.isErased else { throw MembersError.enrollmentNotFound }
    let key = try keys.personKey(of: applicant.person)
    let isPooled = enrollment.route == .holdingPool
    return try Admission(
      person: applicant.person, key: key, former: applicant.member?.member,
      organizationID: enrollment.organizationID,
      input: isPooled ? .joinPool : .join, terms: isPooled ? facts.terms : nil,
      channel: enrollment.channel,
      campaign: enrollment.campaign,
      application: try EnrollmentApplication(
        wireBytes: key.open(facts.sealed, table: EnrollmentStore.table, column: "application")),
      numbers: numbers, takenNumbers: facts.taken, code: memberCode, enrollmentID: enrollment.id,
      act: Act(actor: by.caller.subject, now: now), isKnown: true
    ).add(to: &commit).id
  }

  private func end(_ enrollment: StoredEnrollment, _ commit: Commit) throws -> Step<[UInt8]> {
    var commit = commit
    let actor = enrollment.isOfApplicant ? "enrollments/\(enrollment.id)" : enrollment.caller
    commit.record(
      AuditEntry(
        actor: by.isPerson ? actor : by.caller.subject, action: "enrollments.\(input)",
        target: "enrollments/\(enrollment.id)", reason: note))
    let message =
      by.isStaff ? enrollment.message(in: by.language) : enrollment.neutralMessage
    return .commit(commit, try message.wireBytes())
  }
}
