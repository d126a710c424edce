public import RPC

/// A failure that a caller can act on.
///
/// Throw it from a handler, or from inside a storage step: ``FailureMapping`` turns it, in one
/// place, into a status with `ErrorInfo`, `BadRequest`, `RetryInfo` and `LocalizedMessage`
/// (AIP-193).
public protocol ServiceFailure: Error, Sendable {
  /// Canonical gRPC code.
  var code: RPCError.Code { get }
  /// Machine-readable reason in UPPER_SNAKE_CASE, unique within the service's domain.
  var reason: String { get }
  /// Facts for `ErrorInfo.metadata`; no personal data.
  var metadata: [String: String] { get }
  /// What happened and what to do, for people.
  var text: LocalizedText { get }
  /// Every wrong field at once.
  var fieldFailures: [FieldFailure] { get }
  /// When a retry may help.
  var retryAfter: Duration? { get }
}

extension ServiceFailure {
  /// No facts.
  public var metadata: [String: String] { [:] }
  /// No wrong fields.
  public var fieldFailures: [FieldFailure] { [] }
  /// Nothing is said about retries.
  public var retryAfter: Duration? { nil }
}

/// One wrong field of a request.
public struct FieldFailure: Error, Sendable, Hashable {
  /// Path of the field, for example `application.resident_id`.
  public var field: String
  /// Machine-readable reason, for example `INVALID_ID`.
  public var reason: String
  /// What to do about it; read after the field's name, which it does not repeat.
  public var text: LocalizedText

  /// Creates the failure of one field, of which a request may have several.
  public init(field: String, reason: String, text: LocalizedText) {
    self.field = field
    self.reason = reason
    self.text = text
  }
}

/// The failures that every service has.
public enum CommonFailure: ServiceFailure, Hashable {
  /// One or more fields are wrong; all of them are named.
  case invalidFields([FieldFailure])
  /// No credential, or one that does not hold.
  case callerUnproven
  /// This kind of caller may not call this method.
  case callerKind
  /// The staff caller's role is too low.
  case role
  /// The thing is not within the caller's organization, point or enrollments.
  case outOfScope
  /// The request id came before with another payload.
  case requestIDReused
  /// The thing changed since the caller read it.
  case etagMismatch
  /// The page token is forged, expired, or of another list.
  case invalidPageToken
  /// The cursor is none that this feed gave, or the events behind it were purged.
  case invalidCursor
  /// Too many writes wait; nothing was done.
  case storageBusy
  /// The store cannot take writes now (disk full or failing); nothing was acknowledged.
  case storageUnavailable
  /// The process stops: a feed is resumed elsewhere, or after the restart.
  case shuttingDown
  /// A thing that does not exist, or that the caller may not know of.
  case notFound(reason: String, LocalizedText)

  public var code: RPCError.Code {
    switch self {
    case .invalidFields, .invalidPageToken, .invalidCursor: .invalidArgument
    case .callerUnproven: .unauthenticated
    case .callerKind, .role, .outOfScope: .permissionDenied
    case .requestIDReused: .alreadyExists
    case .etagMismatch: .aborted
    case .storageBusy, .storageUnavailable, .shuttingDown: .unavailable
    case .notFound: .notFound
    }
  }

  public var reason: String {
    switch self {
    case .invalidFields: "INVALID_FIELDS"
    case .callerUnproven: "CALLER_UNPROVEN"
    case .callerKind: "CALLER_KIND"
    case .role: "ROLE"
    case .outOfScope: "OUT_OF_SCOPE"
    case .requestIDReused: "REQUEST_ID_REUSED"
    case .etagMismatch: "ETAG_MISMATCH"
    case .invalidPageToken: "INVALID_PAGE_TOKEN"
    case .invalidCursor: "INVALID_CURSOR"
    case .storageBusy: "STORAGE_BUSY"
    case .storageUnavailable: "STORAGE_UNAVAILABLE"
    case .shuttingDown: "SHUTTING_DOWN"
    case .notFound(let reason, _): reason
    }
  }

  public var fieldFailures: [FieldFailure] {
    if case .invalidFields(let failures) = self { failures } else { [] }
  }

  public var retryAfter: Duration? {
    switch self {
    case .storageBusy: .milliseconds(200)
    case .storageUnavailable: .seconds(5)
    case .shuttingDown: .seconds(1)
    default: nil
    }
  }

  public var text: LocalizedText {
    switch self {
    case .invalidFields(let failures):
      LocalizedText(
        zh: "有 \(failures.count) 个字段有误："
          + Self.joined(failures, \.zh, colon: "：", separator: "；", period: "。"),
        en: "\(failures.count) wrong field\(failures.count == 1 ? "" : "s"): "
          + Self.joined(failures, \.en, colon: ": ", separator: "; ", period: "."))
    case .shuttingDown:
      LocalizedText(
        zh: "服务正在停止，请稍后从上次的游标继续。",
        en: "The service is stopping: resume from the last cursor after a moment.")
    case .callerUnproven:
      LocalizedText(
        zh: "未能确认调用方身份，请检查密钥或重新登录。",
        en: "The caller is not proven: check the key, or sign in again.")
    case .callerKind:
      LocalizedText(
        zh: "此类调用方无权调用该方法。", en: "This kind of caller may not call this method.")
    case .role:
      LocalizedText(
        zh: "您的角色权限不足，请联系上级管理员。",
        en: "Your role does not allow this: ask your administrator.")
    case .outOfScope:
      LocalizedText(
        zh: "该对象不在您的管理范围内。", en: "This is outside the scope that you may act in.")
    case .requestIDReused:
      LocalizedText(
        zh: "该请求编号已用于另一内容的请求，请换用新的编号。",
        en: "This request id was used with another payload: use a new one.")
    case .etagMismatch:
      LocalizedText(
        zh: "数据已被他人修改，请重新读取后再提交。",
        en: "The record has changed meanwhile: read it again, then submit.")
    case .invalidPageToken:
      LocalizedText(
        zh: "翻页标记无效，请从第一页重新查询。",
        en: "The page token is not valid for this list: start from the first page.")
    case .invalidCursor:
      LocalizedText(
        zh: "事件游标无效或已过期，请以空游标从头读取。",
        en: "This feed did not give the cursor, or keeps its events no longer: "
          + "read anew with an empty one.")
    case .storageBusy:
      LocalizedText(
        zh: "系统繁忙，未做任何更改，请稍后用同一请求编号重试。",
        en: "Too busy; nothing was done. Retry with the same request id.")
    case .storageUnavailable:
      LocalizedText(
        zh: "存储暂不可用，请稍后用同一请求编号重试。",
        en: "The store is not available now. Retry later with the same request id.")
    case .notFound(_, let text): text
    }
  }

  /// Longest text of all wrong fields together, in bytes: each has its own besides, and a field may
  /// be named by who sent it.
  private static let fieldsTextBytesMax = 10 << 10

  /// Names each field with its text: `phone: text; name: text.`
  private static func joined(
    _ failures: [FieldFailure], _ language: (LocalizedText) -> String, colon: String,
    separator: String, period: Character
  ) -> String {
    var joined = ""
    for failure in failures {
      var text = language(failure.text)
      if text.last == period { text.removeLast() }
      if !failure.field.isEmpty { text = failure.field + colon + text }
      guard joined.utf8.count + text.utf8.count <= fieldsTextBytesMax else {
        return joined + (joined.isEmpty ? "" : separator) + "…"
      }
      joined += (joined.isEmpty ? "" : separator) + text
    }
    return joined + String(period)
  }
}
