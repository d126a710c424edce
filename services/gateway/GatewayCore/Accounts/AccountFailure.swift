public import RPC
public import ServiceKit

/// What the gateway's own services refuse.
public enum AccountFailure: ServiceFailure, Hashable {
  case partnerNotFound
  case keyNotFound
  /// The key holds no more: revoked or expired.
  case keyEnded
  /// Another key has taken its place already.
  case keyRotated
  /// So many keys of the partner hold.
  case tooManyKeys(max: Int)

  public var code: RPCError.Code {
    switch self {
    case .partnerNotFound, .keyNotFound: .notFound
    case .keyEnded, .keyRotated, .tooManyKeys: .failedPrecondition
    }
  }

  public var reason: String {
    switch self {
    case .partnerNotFound: "PARTNER_NOT_FOUND"
    case .keyNotFound: "KEY_NOT_FOUND"
    case .keyEnded: "KEY_ENDED"
    case .keyRotated: "KEY_ROTATED"
    case .tooManyKeys: "TOO_MANY_KEYS"
    }
  }

  public var metadata: [String: String] {
    if case .tooManyKeys(let max) = self { ["keys_max": String(max)] } else { [:] }
  }

  public var text: LocalizedText {
    switch self {
    case .partnerNotFound:
      LocalizedText(
        zh: "没有这个合作方，请核对名称。", en: "There is no such partner: check the name.")
    case .keyNotFound:
      LocalizedText(zh: "没有这个密钥，请核对名称。", en: "There is no such key: check the name.")
    case .keyEnded:
      LocalizedText(
        zh: "该密钥已失效，请新建密钥。", en: "The key holds no more: create a new one.")
    case .keyRotated:
      LocalizedText(
        zh: "该密钥已轮换，请轮换其新密钥。",
        en: "The key was rotated before: rotate the one that took its place.")
    case .tooManyKeys(let max):
      LocalizedText(
        zh: "有效密钥已达 \(max) 个，请先停用不用的密钥。",
        en: "The partner has \(max) keys that hold: revoke what is not used.")
    }
  }
}
