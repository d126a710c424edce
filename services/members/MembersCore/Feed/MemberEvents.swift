import MembersV1
import Protobuf
import Storage

/// The event kinds of the members feed, as stored in the outbox.
enum MemberEventKind: String, Sendable {
  case organizationChanged = "organization.changed"
  case enrollmentChanged = "enrollment.changed"
  case membershipChanged = "membership.changed"
  case poolCaseChanged = "poolCase.changed"
  case transferChanged = "transfer.changed"
  case duplicateChanged = "duplicate.changed"
  case correctionChanged = "correction.changed"
  case coverageChanged = "coverage.changed"
  case unitChanged = "unit.changed"
  case awayReportChanged = "away_report.changed"
  case refreshRoundChanged = "refresh_round.changed"
  case outreachListChanged = "outreach_list.changed"
}

extension OutboxEvent {
  /// Returns the event of a stored or changed organization.
  ///
  /// - Parameter previousParent: The parent before a move.
  static func changed(
    _ organization: StoredOrganization, previousParent: String? = nil
  ) throws -> OutboxEvent {
    var message = OrganizationChanged()
    message.organization = "organizations/\(organization.id)"
    message.parent = organization.parentID.map { "organizations/\($0)" } ?? ""
    message.state = organization.state
    message.regionCode = organization.regionCode
    message.previousParent = previousParent.map { "organizations/\($0)" } ?? ""
    return OutboxEvent(
      entity: message.organization, version: organization.version,
      kind: MemberEventKind.organizationChanged.rawValue, payload: try message.wireBytes())
  }

  /// Returns the event of a changed enrollment.
  ///
  /// - Parameter audience: The partner who submitted it; `nil` if staff did.
  static func changed(_ enrollment: StoredEnrollment, audience: String?) throws -> OutboxEvent {
    var message = EnrollmentChanged()
    message.enrollment = "enrollments/\(enrollment.id)"
    message.state = enrollment.state
    return OutboxEvent(
      entity: message.enrollment, version: enrollment.version,
      kind: MemberEventKind.enrollmentChanged.rawValue, payload: try message.wireBytes(),
      audience: audience)
  }

  /// Returns the event of a new or changed membership.
  ///
  /// - Parameters:
  ///   - survivorID: The survivor of a merged membership.
  ///   - isErased: Whether the personal data were erased.
  static func changed(
    _ member: StoredMember, survivorID: String? = nil, isErased: Bool = false
  ) throws -> OutboxEvent {
    var message = MembershipChanged()
    message.member = "members/\(member.id)"
    message.state = member.state
    message.organization = "organizations/\(member.organizationID)"
    message.group = member.group
    message.codeSHA256 = member.codeSHA256
    message.survivor = survivorID.map { "members/\($0)" } ?? ""
    message.managingOrganization = "organizations/\(member.managingOrganizationID)"
    message.erased = isErased
    return OutboxEvent(
      entity: message.member, version: member.version,
      kind: MemberEventKind.membershipChanged.rawValue, payload: try message.wireBytes())
  }

  /// Returns the event of a new or changed pool case.
  static func changed(_ stored: StoredPoolCase) throws -> OutboxEvent {
    var message = PoolCaseChanged()
    message.poolCase = "poolCases/\(stored.id)"
    message.member = "members/\(stored.memberID)"
    message.state = stored.progress.state
    message.custodian = "organizations/\(stored.custodianID)"
    message.receiver = stored.receiverID.map { "organizations/\($0)" } ?? ""
    message.level = Int32(clamping: stored.progress.level)
    return OutboxEvent(
      entity: message.poolCase, version: stored.version,
      kind: MemberEventKind.poolCaseChanged.rawValue, payload: try message.wireBytes())
  }

  /// Returns the event of a new or changed transfer.
  static func changed(_ stored: StoredTransfer) throws -> OutboxEvent {
    var message = TransferChanged()
    message.transfer = "transfers/\(stored.id)"
    message.member = "members/\(stored.memberID)"
    message.state = stored.progress.state
    message.fromOrganization = "organizations/\(stored.fromID)"
    message.toOrganization = "organizations/\(stored.toID)"
    message.handler = "organizations/\(stored.handlerID)"
    return OutboxEvent(
      entity: message.transfer, version: stored.version,
      kind: MemberEventKind.transferChanged.rawValue, payload: try message.wireBytes())
  }

  /// Returns the event of a judged duplicate.
  static func changed(_ stored: StoredDuplicate) throws -> OutboxEvent {
    let duplicate = stored.message
    var message = DuplicateChanged()
    message.duplicate = duplicate.name
    message.state = duplicate.state
    message.members = stored.parties.map(\.member).filter { !$0.isEmpty }
    message.survivor = duplicate.survivor
    return OutboxEvent(
      entity: message.duplicate, version: stored.version,
      kind: MemberEventKind.duplicateChanged.rawValue, payload: try message.wireBytes())
  }

  /// Returns the event of a new or decided correction.
  static func changed(_ stored: StoredCorrection) throws -> OutboxEvent {
    var message = CorrectionChanged()
    message.correction = "corrections/\(stored.id)"
    message.member = "members/\(stored.memberID)"
    message.state = stored.progress.state
    return OutboxEvent(
      entity: message.correction, version: stored.version,
      kind: MemberEventKind.correctionChanged.rawValue, payload: try message.wireBytes())
  }
}
