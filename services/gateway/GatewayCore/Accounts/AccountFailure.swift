public import RPC
public import ServiceKit

/// The failures of the gateway's own services.
public enum AccountFailure: ServiceFailure, Hashable {
  case partnerNotFound
  case keyNotFound
  /// The key is revoked or expired.
  case keyEnded
  /// The key was rotated already.
  case keyRotated
  /// The partner has this many valid keys already.
  case tooManyKeys(max: Int)
  case certificateNotFound
  /// The identity belongs to a partner already.
  case certificateTaken
  /// The partner has this many valid certificates already.
  case tooManyCertificates(max: Int)
  case staffNotFound
  /// Another account has the user name.
  case userNameTaken
  /// An account cannot disable itself.
  case ownAccount
  /// User name, password or code is wrong, or the account is disabled; which one is not revealed.
  case signInRefused
  /// The password is correct, but the account also needs an authenticator's code.
  case totpRequired
  /// Too many wrong guesses; attempts are refused for this time.
  case signInDelayed(Duration)
  /// Too many passwords are being hashed.
  case hashingBusy
  /// The password is temporary, so another person knows it.
  case passwordTemporary
  /// The caller's credential is not a session's token.
  case noSession
  case sessionNotFound
  /// An authenticator is enrolled already.
  case totpEnrolled
  /// There is no pending authenticator to confirm.
  case noTOTP
  /// No sender of members' codes is configured.
  case memberCodesOff
  /// The phone, or all phones together, were sent the maximum of codes; the next is allowed after
  /// this time.
  case codeLimit(Duration)
  /// The code could not be delivered; the next can be requested after this time.
  case memberCodeUndelivered(Duration)
  /// Several members have the phone number.
  case memberAmbiguous

  public var code: RPCError.Code {
    switch self {
    case .partnerNotFound, .keyNotFound, .certificateNotFound, .staffNotFound, .sessionNotFound:
      .notFound
    case .keyEnded, .keyRotated, .tooManyKeys, .tooManyCertificates, .ownAccount, .noSession,
      .totpEnrolled, .noTOTP,
      .memberCodesOff, .memberAmbiguous:
      .failedPrecondition
    case .userNameTaken, .certificateTaken: .alreadyExists
    case .signInRefused, .totpRequired: .unauthenticated
    case .signInDelayed, .hashingBusy, .codeLimit: .resourceExhausted
    case .passwordTemporary: .permissionDenied
    case .memberCodeUndelivered: .unavailable
    }
  }

  public var reason: String {
    switch self {
    case .partnerNotFound: "PARTNER_NOT_FOUND"
    case .keyNotFound: "KEY_NOT_FOUND"
    case .keyEnded: "KEY_ENDED"
    case .keyRotated: "KEY_ROTATED"
    case .tooManyKeys: "TOO_MANY_KEYS"
    case .certificateNotFound: "CERTIFICATE_NOT_FOUND"
    case .certificateTaken: "CERTIFICATE_TAKEN"
    case .tooManyCertificates: "TOO_MANY_CERTIFICATES"
    case .staffNotFound: "STAFF_NOT_FOUND"
    case .userNameTaken: "USER_NAME_TAKEN"
    case .ownAccount: "OWN_ACCOUNT"
    case .signInRefused: "SIGN_IN_REFUSED"
    case .totpRequired: "TOTP_REQUIRED"
    case .signInDelayed: "SIGN_IN_DELAYED"
    case .hashingBusy: "HASHING_BUSY"
    case .passwordTemporary: "PASSWORD_TEMPORARY"
    case .noSession: "NO_SESSION"
    case .sessionNotFound: "SESSION_NOT_FOUND"
    case .totpEnrolled: "TOTP_ENROLLED"
    case .noTOTP: "NO_TOTP"
    case .memberCodesOff: "MEMBER_CODES_OFF"
    case .codeLimit: "CODE_LIMIT"
    case .memberCodeUndelivered: "MEMBER_CODE_UNDELIVERED"
    case .memberAmbiguous: "MEMBER_AMBIGUOUS"
    }
  }

  public var metadata: [String: String] {
    switch self {
    case .tooManyKeys(let max): ["keys_max": String(max)]
    case .tooManyCertificates(let max): ["certificates_max": String(max)]
    default: [:]
    }
  }

  public var retryAfter: Duration? {
    switch self {
    case .signInDelayed(let wait), .codeLimit(let wait), .memberCodeUndelivered(let wait): wait
    case .hashingBusy: .seconds(1)
    default: nil
    }
  }
}

extension AccountFailure {
  public var text: LocalizedText {
    switch self {
    case .partnerNotFound:
      LocalizedText(
        zh: "没有这个合作平台，请核对名称。", en: "There is no such partner: check the name.")
    case .keyNotFound:
      LocalizedText(zh: "没有这个密钥，请核对名称。", en: "There is no such key: check the name.")
    case .keyEnded:
      LocalizedText(zh: "该密钥已失效，请新建密钥。", en: "The key holds no more: make a new one.")
    case .keyRotated:
      LocalizedText(
        zh: "该密钥已轮换，请轮换其新密钥。",
        en: "The key was rotated before: rotate the one that took its place.")
    case .tooManyKeys(let max):
      LocalizedText(
        zh: "有效密钥已达 \(max) 个，请先停用不用的密钥。",
        en: "The partner has \(max) keys that hold: revoke what is not used.")
    case .certificateNotFound:
      LocalizedText(
        zh: "没有这个证书，请核对名称。", en: "There is no such certificate: check the name.")
    case .certificateTaken:
      LocalizedText(
        zh: "该证书已用于某个合作平台，请先停用原登记。",
        en: "The certificate names a partner already: revoke that entry first.")
    case .tooManyCertificates(let max):
      LocalizedText(
        zh: "有效证书已达 \(max) 个，请先停用不用的证书。",
        en: "The partner has \(max) certificates that hold: revoke what is not used.")
    case .staffNotFound:
      LocalizedText(zh: "没有这个账号，请核对名称。", en: "There is no such account: check the name.")
    case .userNameTaken:
      LocalizedText(zh: "用户名已被使用，请换一个。", en: "The user name is taken: choose another one.")
    case .ownAccount:
      LocalizedText(
        zh: "不能停用自己的账号，请由其他管理员操作。",
        en: "Nobody disables their own account: ask another administrator.")
    case .signInRefused:
      LocalizedText(
        zh: "登录信息有误，请核对后重试；如忘记密码，请联系管理员。",
        en: "The user name, password or code is wrong: check them, or ask the administrator.")
    case .totpRequired:
      LocalizedText(zh: "请输入身份验证器上的六位数字。", en: "Enter the six digits of the authenticator.")
    case .signInDelayed:
      LocalizedText(zh: "尝试次数过多，请稍后重试。", en: "Too many attempts: wait, then try again.")
    case .hashingBusy:
      LocalizedText(zh: "登录繁忙，请稍后重试。", en: "Too many are signing in: try again in a moment.")
    case .passwordTemporary:
      LocalizedText(zh: "请先修改临时密码。", en: "Change the temporary password first.")
    case .noSession:
      LocalizedText(zh: "此凭证不是登录会话。", en: "This credential is not a session.")
    case .sessionNotFound:
      LocalizedText(zh: "没有这个会话。", en: "There is no such session.")
    case .totpEnrolled:
      LocalizedText(
        zh: "已绑定身份验证器，更换请联系管理员重置。",
        en: "An authenticator is enrolled: an administrator resets it.")
    case .noTOTP:
      LocalizedText(zh: "没有待确认的身份验证器。", en: "There is no authenticator to confirm.")
    case .memberCodesOff:
      LocalizedText(zh: "本系统未开通短信验证码登录。", en: "No codes are sent to members here.")
    case .codeLimit:
      LocalizedText(zh: "验证码获取过于频繁，请稍后重试。", en: "Enough codes were sent: wait, then ask again.")
    case .memberCodeUndelivered:
      LocalizedText(zh: "短信未能发出，请稍后重试。", en: "No message could be sent: wait, then ask again.")
    case .memberAmbiguous:
      LocalizedText(
        zh: "该手机号对应多名会员，请填写会员号。",
        en: "Several members have the phone: say the member number.")
    }
  }
}
