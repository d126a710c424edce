public import RPC
public import ServiceKit

/// Why the members service refuses, where the reason is its own; the others are `CommonFailure`.
///
/// A reason has its name, its code, and what to tell people. `ErrorInfo.domain` is `members.yijia`.
public enum MembersError: String, ServiceFailure, Hashable, CaseIterable {
  /// The row's parent is not stored.
  case parentNotFound = "PARENT_NOT_FOUND"
  /// The external id is stored with other content.
  case organizationConflict = "ORGANIZATION_CONFLICT"
  case organizationNotFound = "ORGANIZATION_NOT_FOUND"
  case organizationNotActive = "ORGANIZATION_NOT_ACTIVE"
  /// Dissolved for good: nothing about it changes any more.
  case organizationDissolved = "ORGANIZATION_DISSOLVED"
  /// What is asked for does not fit the organization's state.
  case organizationState = "ORGANIZATION_STATE"
  /// Who founded an organization does not approve it.
  case approverIsAuthor = "APPROVER_IS_AUTHOR"
  case organizationHasChildren = "ORGANIZATION_HAS_CHILDREN"
  case organizationHasMembers = "ORGANIZATION_HAS_MEMBERS"
  /// More members than one commit takes along.
  case tooManyMembers = "TOO_MANY_MEMBERS"
  case moveBelowItself = "MOVE_BELOW_ITSELF"
  /// The kinds do not stand below each other so.
  case invalidParent = "INVALID_PARENT"
  case treeTooDeep = "TREE_TOO_DEEP"
  /// Federations cover enterprise and joint unions, and nothing else does.
  case coverKinds = "COVER_KINDS"
  case codeNotFound = "CODE_NOT_FOUND"
  /// The text is no organization code.
  case codeMalformed = "CODE_MALFORMED"
  /// The code's signature is not ours.
  case codeForged = "CODE_FORGED"
  case codeExpired = "CODE_EXPIRED"
  case codeRevoked = "CODE_REVOKED"
  /// No rule found an organization, and there is no pool.
  case noReceiver = "NO_RECEIVER"
  /// The person was expelled or is dead: never revived silently. For staff only.
  case membershipClosed = "MEMBERSHIP_CLOSED"
  case enrollmentNotFound = "ENROLLMENT_NOT_FOUND"
  /// It was admitted, refused or withdrawn.
  case enrollmentNotWaiting = "ENROLLMENT_NOT_WAITING"
  case memberNotFound = "MEMBER_NOT_FOUND"
  /// The membership's state does not allow it.
  case membershipState = "MEMBERSHIP_STATE"

  public var reason: String { rawValue }

  public var code: RPCError.Code {
    switch self {
    case .parentNotFound, .organizationNotFound, .codeNotFound, .enrollmentNotFound,
      .memberNotFound:
      .notFound
    case .organizationConflict: .alreadyExists
    case .organizationNotActive, .organizationDissolved, .organizationState,
      .organizationHasChildren, .organizationHasMembers, .tooManyMembers, .moveBelowItself,
      .invalidParent, .treeTooDeep, .coverKinds, .codeExpired, .codeRevoked, .noReceiver,
      .membershipClosed, .membershipState, .enrollmentNotWaiting:
      .failedPrecondition
    case .approverIsAuthor: .permissionDenied
    case .codeMalformed, .codeForged: .invalidArgument
    }
  }

  public var text: LocalizedText {
    Self.texts[self] ?? LocalizedText(zh: rawValue, en: rawValue)
  }
}
