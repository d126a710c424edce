import MembersV1
import Storage

/// One entry of the append-only log of a membership: what is counted and replayed.
struct MembershipLogEntry: Sendable {
  enum Action: String, Sendable {
    case joined = "JOINED"
    case revived = "REVIVED"
  }

  var action: Action
  var from: MembershipState
  /// The membership after the change.
  var member: StoredMember
  /// Day of the change in China, in days since 1970-01-01.
  var day: Int
  var enrollmentID: String?
  var actor: String
  /// Microseconds since 1970.
  var created: Int64

  var insert: Statement {
    Statement(
      """
      INSERT INTO membership_log (
        member_id, version, action, from_state, to_state, organization_id,
        managing_organization_id, occupation_group, channel, campaign, day, enrollment_id, actor,
        created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
      """,
      [
        member.id, member.version, action.rawValue, from.rawValue, member.state.rawValue,
        member.organizationID, member.managingOrganizationID, member.group.rawValue,
        member.channel.rawValue, member.campaign, day, enrollmentID, actor, created,
      ], expects: .exactly(1))
  }
}
