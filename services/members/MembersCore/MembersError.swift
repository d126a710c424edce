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
    case .organizationNotActive, .codeExpired, .codeRevoked, .noReceiver, .membershipClosed,
      .membershipState, .enrollmentNotWaiting:
      .failedPrecondition
    case .codeMalformed, .codeForged: .invalidArgument
    }
  }

  public var text: LocalizedText {
    switch self {
    case .parentNotFound:
      LocalizedText(
        zh: "上级组织尚未导入,请先导入上级组织。",
        en: "The organization above is not stored: import parents before children.")
    case .organizationConflict:
      LocalizedText(zh: "该外部编号已用于内容不同的组织。", en: "This external id is stored with other content.")
    case .organizationNotFound:
      LocalizedText(zh: "组织不存在。", en: "There is no such organization.")
    case .organizationNotActive:
      LocalizedText(zh: "该组织当前不接收会员。", en: "The organization receives nobody now.")
    case .codeNotFound:
      LocalizedText(zh: "组织码不存在。", en: "There is no such code.")
    case .codeMalformed:
      LocalizedText(zh: "这不是组织码,请重新扫描。", en: "This is no organization code: scan it again.")
    case .codeForged:
      LocalizedText(zh: "组织码校验未通过,请勿使用。", en: "The code's signature does not hold: do not use it.")
    case .codeExpired:
      LocalizedText(
        zh: "组织码已过期,请向组织索取新码。", en: "The code has expired: ask the organization for a new one.")
    case .codeRevoked:
      LocalizedText(
        zh: "组织码已停用,请向组织索取新码。", en: "The code was revoked: ask the organization for a new one.")
    case .noReceiver:
      LocalizedText(
        zh: "所填地区暂无可接收的工会组织,请核对工作地、居住地。",
        en: "No organization receives members there: check the areas of work and residence.")
    case .membershipClosed:
      LocalizedText(
        zh: "该人员的会籍已终止,不能重新申请,请联系上级工会。",
        en: "This person's membership is closed: ask the union above.")
    case .enrollmentNotFound:
      LocalizedText(zh: "入会申请不存在。", en: "There is no such enrollment.")
    case .enrollmentNotWaiting:
      LocalizedText(
        zh: "该申请已处理完毕,不再等待审核。",
        en: "The enrollment waits no more: it was admitted, refused or withdrawn.")
    case .memberNotFound:
      LocalizedText(zh: "会员不存在。", en: "There is no such member.")
    case .membershipState:
      LocalizedText(
        zh: "会籍当前状态不允许此操作,请核对后再试。",
        en: "The membership's state does not allow this: read it again.")
    }
  }
}
