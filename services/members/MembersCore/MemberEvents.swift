import MembersV1
import Protobuf
import Storage

/// Kinds of events in the members feed, as the outbox names them.
enum MemberEventKind: String, Sendable {
  case organizationChanged = "organization.changed"
  case enrollmentChanged = "enrollment.changed"
  case membershipChanged = "membership.changed"
}

extension OutboxEvent {
  /// An organization was stored or changed.
  ///
  /// - Parameter previousParent: Where it stood before it was moved.
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

  /// An enrollment changed its state.
  ///
  /// - Parameter audience: The partner who made it; nil where staff did.
  static func changed(_ enrollment: StoredEnrollment, audience: String?) throws -> OutboxEvent {
    var message = EnrollmentChanged()
    message.enrollment = "enrollments/\(enrollment.id)"
    message.state = enrollment.state
    return OutboxEvent(
      entity: message.enrollment, version: enrollment.version,
      kind: MemberEventKind.enrollmentChanged.rawValue, payload: try message.wireBytes(),
      audience: audience)
  }

  /// A membership was founded or changed.
  static func changed(_ member: StoredMember) throws -> OutboxEvent {
    var message = MembershipChanged()
    message.member = "members/\(member.id)"
    message.state = member.state
    message.organization = "organizations/\(member.organizationID)"
    message.group = member.group
    message.codeSHA256 = member.codeSHA256
    return OutboxEvent(
      entity: message.member, version: member.version,
      kind: MemberEventKind.membershipChanged.rawValue, payload: try message.wireBytes())
  }
}
