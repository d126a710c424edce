public import RPC
public import ServiceKit

/// The errors specific to the members service; common ones are `CommonFailure`.
///
/// Each has a reason, a code and a localized message. `ErrorInfo.domain` is `members.yijia`.
public enum MembersError: String, ServiceFailure, Hashable, CaseIterable {
  /// The parent of an imported row is not stored.
  case parentNotFound = "PARENT_NOT_FOUND"
  /// The external id is stored with other content.
  case organizationConflict = "ORGANIZATION_CONFLICT"
  /// Another live organization covers the employer.
  case employerClaimed = "EMPLOYER_CLAIMED"
  /// The organization does not exist.
  case organizationNotFound = "ORGANIZATION_NOT_FOUND"
  /// The organization does not receive members at present.
  case organizationNotActive = "ORGANIZATION_NOT_ACTIVE"
  /// The organization is dissolved and can't be changed.
  case organizationDissolved = "ORGANIZATION_DISSOLVED"
  /// The organization's state does not allow the operation.
  case organizationState = "ORGANIZATION_STATE"
  /// The founder of an organization can't approve it.
  case approverIsAuthor = "APPROVER_IS_AUTHOR"
  /// The organization has organizations below it.
  case organizationHasChildren = "ORGANIZATION_HAS_CHILDREN"
  /// The organization has live members.
  case organizationHasMembers = "ORGANIZATION_HAS_MEMBERS"
  /// The organization has more members than one commit can move.
  case tooManyMembers = "TOO_MANY_MEMBERS"
  /// An organization can't be moved below itself.
  case moveBelowItself = "MOVE_BELOW_ITSELF"
  /// An organization of this kind can't stand below one of that kind.
  case invalidParent = "INVALID_PARENT"
  /// The tree would exceed the maximum depth.
  case treeTooDeep = "TREE_TOO_DEEP"
  /// Only federations cover other organizations, and only enterprise and joint unions.
  case coverKinds = "COVER_KINDS"
  /// The code does not exist.
  case codeNotFound = "CODE_NOT_FOUND"
  /// The text is not an organization code.
  case codeMalformed = "CODE_MALFORMED"
  /// The code's signature is invalid.
  case codeForged = "CODE_FORGED"
  /// The code has expired.
  case codeExpired = "CODE_EXPIRED"
  /// The code was revoked.
  case codeRevoked = "CODE_REVOKED"
  /// No page is configured for the links of codes.
  case noCodeLink = "NO_CODE_LINK"
  /// No routing rule found an organization, and there is no pool.
  case noReceiver = "NO_RECEIVER"
  /// The person was expelled or is deceased, and can't be enrolled again. Reported to staff only.
  case membershipClosed = "MEMBERSHIP_CLOSED"
  /// The enrollment does not exist.
  case enrollmentNotFound = "ENROLLMENT_NOT_FOUND"
  /// The enrollment was already admitted, refused or withdrawn.
  case enrollmentNotWaiting = "ENROLLMENT_NOT_WAITING"
  /// The member does not exist.
  case memberNotFound = "MEMBER_NOT_FOUND"
  /// There is and was no region with this code.
  case regionNotFound = "REGION_NOT_FOUND"
  /// The unit does not exist.
  case unitNotFound = "UNIT_NOT_FOUND"
  /// The unit index's state does not allow the operation.
  case unitState = "UNIT_STATE"
  /// The unit has more members than one commit can move.
  case unitTooLarge = "UNIT_TOO_LARGE"
  /// The away report does not exist.
  case awayReportNotFound = "AWAY_REPORT_NOT_FOUND"
  /// The member has an open away report.
  case awayReportOpen = "AWAY_REPORT_OPEN"
  /// The away report's state does not allow the operation.
  case awayState = "AWAY_STATE"
  /// Nobody can review their own away report, or check one that they recorded or reviewed.
  case ownReport = "OWN_REPORT"
  /// Away reports are reviewed from the township on, sampled and checked from the county on.
  case awayLevel = "AWAY_LEVEL"
  /// The refresh round or its record does not exist.
  case refreshRoundNotFound = "REFRESH_ROUND_NOT_FOUND"
  /// The refresh round is closed, or the record is confirmed.
  case refreshState = "REFRESH_STATE"
  /// The subtree has more records than a refresh round can hold.
  case roundTooLarge = "ROUND_TOO_LARGE"
  /// The honor's source event is stored with other content.
  case honorConflict = "HONOR_CONFLICT"
  /// The outreach list or its entry does not exist.
  case outreachNotFound = "OUTREACH_NOT_FOUND"
  /// The outreach list is closed, or the person declined or is a member.
  case outreachState = "OUTREACH_STATE"
  /// The outreach list has the maximum number of entries.
  case outreachFull = "OUTREACH_FULL"
  /// The result has more rows than one reply can hold.
  case tooManyRows = "TOO_MANY_ROWS"
  /// The organization's daily quota of compared roster rows is used up.
  case rosterQuota = "ROSTER_QUOTA"
  /// A person who signed in by phone has submitted as many applications as they may.
  case applicationLimit = "APPLICATION_LIMIT"
  /// The membership's state does not allow the operation.
  case membershipState = "MEMBERSHIP_STATE"
  /// The pool case does not exist.
  case poolCaseNotFound = "POOL_CASE_NOT_FOUND"
  /// The pool case's state does not allow the operation.
  case poolCaseState = "POOL_CASE_STATE"
  /// The organization takes no members directly.
  case noIndividualMembers = "NO_INDIVIDUAL_MEMBERS"
  /// The transfer does not exist.
  case transferNotFound = "TRANSFER_NOT_FOUND"
  /// The transfer has ended.
  case transferState = "TRANSFER_STATE"
  /// The last day for accepting the transfer has passed.
  case transferExpired = "TRANSFER_EXPIRED"
  /// The member has an open transfer.
  case transferOpen = "TRANSFER_OPEN"
  /// The member already belongs to that union.
  case sameOrganization = "SAME_ORGANIZATION"
  /// The duplicate does not exist.
  case duplicateNotFound = "DUPLICATE_NOT_FOUND"
  /// The duplicate was already judged, or there is no merge to undo.
  case duplicateState = "DUPLICATE_STATE"
  /// Other records are merged into the record to be merged.
  case mergedRecords = "MERGED_RECORDS"
  /// The correction does not exist.
  case correctionNotFound = "CORRECTION_NOT_FOUND"
  /// The correction was already decided.
  case correctionState = "CORRECTION_STATE"
  /// The person has an open correction.
  case correctionOpen = "CORRECTION_OPEN"
  /// Another record has the resident ID.
  case residentIDTaken = "RESIDENT_ID_TAKEN"

  public var reason: String { rawValue }

  public var code: RPCError.Code {
    switch self {
    case .parentNotFound, .organizationNotFound, .codeNotFound, .enrollmentNotFound,
      .memberNotFound, .regionNotFound, .poolCaseNotFound, .unitNotFound,
      .awayReportNotFound, .refreshRoundNotFound, .outreachNotFound:
      .notFound
    case .organizationConflict, .employerClaimed, .awayReportOpen, .honorConflict: .alreadyExists
    case .organizationNotActive, .organizationDissolved, .organizationState,
      .organizationHasChildren, .organizationHasMembers, .tooManyMembers, .moveBelowItself,
      .invalidParent, .treeTooDeep, .coverKinds, .codeExpired, .codeRevoked, .noCodeLink,
      .noReceiver,
      .membershipClosed, .membershipState, .enrollmentNotWaiting,
      .unitState, .unitTooLarge, .awayState, .ownReport, .refreshState, .roundTooLarge,
      .outreachState:
      .failedPrecondition
    case .approverIsAuthor, .awayLevel: .permissionDenied
    case .poolCaseState, .noIndividualMembers: .failedPrecondition
    case .transferState, .transferExpired, .sameOrganization: .failedPrecondition
    case .transferNotFound, .duplicateNotFound: .notFound
    case .duplicateState, .mergedRecords: .failedPrecondition
    case .correctionNotFound: .notFound
    case .correctionState: .failedPrecondition
    case .correctionOpen, .residentIDTaken: .alreadyExists
    case .transferOpen: .alreadyExists
    case .codeMalformed, .codeForged, .tooManyRows: .invalidArgument
    case .rosterQuota, .outreachFull, .applicationLimit: .resourceExhausted
    }
  }

  public var text: LocalizedText {
    Self.texts[self] ?? LocalizedText(zh: rawValue, en: rawValue)
  }
}
