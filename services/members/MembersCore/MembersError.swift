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
  /// No page is configured that links of codes lead to.
  case noCodeLink = "NO_CODE_LINK"
  /// No rule found an organization, and there is no pool.
  case noReceiver = "NO_RECEIVER"
  /// The person was expelled or is dead: never revived silently. For staff only.
  case membershipClosed = "MEMBERSHIP_CLOSED"
  case enrollmentNotFound = "ENROLLMENT_NOT_FOUND"
  /// It was admitted, refused or withdrawn.
  case enrollmentNotWaiting = "ENROLLMENT_NOT_WAITING"
  case memberNotFound = "MEMBER_NOT_FOUND"
  case regionNotFound = "REGION_NOT_FOUND"
  case unitNotFound = "UNIT_NOT_FOUND"
  /// The unit index' state does not allow it.
  case unitState = "UNIT_STATE"
  /// More people than move in one commit.
  case unitTooLarge = "UNIT_TOO_LARGE"
  case awayReportNotFound = "AWAY_REPORT_NOT_FOUND"
  /// The member has an open report.
  case awayReportOpen = "AWAY_REPORT_OPEN"
  /// The report's state does not allow it.
  case awayState = "AWAY_STATE"
  /// Nobody reviews their own report.
  case ownReport = "OWN_REPORT"
  case refreshRoundNotFound = "REFRESH_ROUND_NOT_FOUND"
  /// The round is closed, or the record is confirmed.
  case refreshState = "REFRESH_STATE"
  /// More records than a round takes.
  case roundTooLarge = "ROUND_TOO_LARGE"
  /// The event came with other content.
  case honorConflict = "HONOR_CONFLICT"
  case outreachNotFound = "OUTREACH_NOT_FOUND"
  /// The list is closed, or the person declined or is a member.
  case outreachState = "OUTREACH_STATE"
  /// More people than a list holds.
  case outreachFull = "OUTREACH_FULL"
  /// More rows than one answer has.
  case tooManyRows = "TOO_MANY_ROWS"
  /// The rows that the organization may compare today are used up.
  case rosterQuota = "ROSTER_QUOTA"
  /// The membership's state does not allow it.
  case membershipState = "MEMBERSHIP_STATE"
  case poolCaseNotFound = "POOL_CASE_NOT_FOUND"
  /// The case's state does not allow it: it waits, is assigned, or has ended.
  case poolCaseState = "POOL_CASE_STATE"
  /// The organization has no members of its own.
  case noIndividualMembers = "NO_INDIVIDUAL_MEMBERS"
  case transferNotFound = "TRANSFER_NOT_FOUND"
  /// The transfer has ended.
  case transferState = "TRANSFER_STATE"
  /// The last day to accept it is over.
  case transferExpired = "TRANSFER_EXPIRED"
  /// The member has an open transfer.
  case transferOpen = "TRANSFER_OPEN"
  /// The member is of that union.
  case sameOrganization = "SAME_ORGANIZATION"
  case duplicateNotFound = "DUPLICATE_NOT_FOUND"
  /// The duplicate was judged, or there is no merge to undo.
  case duplicateState = "DUPLICATE_STATE"
  /// Other records are merged into the one that would go.
  case mergedRecords = "MERGED_RECORDS"
  case correctionNotFound = "CORRECTION_NOT_FOUND"
  /// The correction was decided.
  case correctionState = "CORRECTION_STATE"
  /// The person has an open correction.
  case correctionOpen = "CORRECTION_OPEN"
  /// Another person has the resident ID.
  case residentIDTaken = "RESIDENT_ID_TAKEN"

  public var reason: String { rawValue }

  public var code: RPCError.Code {
    switch self {
    case .parentNotFound, .organizationNotFound, .codeNotFound, .enrollmentNotFound,
      .memberNotFound, .regionNotFound, .poolCaseNotFound, .unitNotFound,
      .awayReportNotFound, .refreshRoundNotFound, .outreachNotFound:
      .notFound
    case .organizationConflict, .awayReportOpen, .honorConflict: .alreadyExists
    case .organizationNotActive, .organizationDissolved, .organizationState,
      .organizationHasChildren, .organizationHasMembers, .tooManyMembers, .moveBelowItself,
      .invalidParent, .treeTooDeep, .coverKinds, .codeExpired, .codeRevoked, .noCodeLink,
      .noReceiver,
      .membershipClosed, .membershipState, .enrollmentNotWaiting,
      .unitState, .unitTooLarge, .awayState, .ownReport, .refreshState, .roundTooLarge,
      .outreachState:
      .failedPrecondition
    case .approverIsAuthor: .permissionDenied
    case .poolCaseState, .noIndividualMembers: .failedPrecondition
    case .transferState, .transferExpired, .sameOrganization: .failedPrecondition
    case .transferNotFound, .duplicateNotFound: .notFound
    case .duplicateState, .mergedRecords: .failedPrecondition
    case .correctionNotFound: .notFound
    case .correctionState: .failedPrecondition
    case .correctionOpen, .residentIDTaken: .alreadyExists
    case .transferOpen: .alreadyExists
    case .codeMalformed, .codeForged, .tooManyRows: .invalidArgument
    case .rosterQuota, .outreachFull: .resourceExhausted
    }
  }

  public var text: LocalizedText {
    Self.texts[self] ?? LocalizedText(zh: rawValue, en: rawValue)
  }
}
