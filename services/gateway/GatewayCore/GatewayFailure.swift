public import RPC
public import ServiceKit

/// The failures that the gateway itself answers with; a service's statuses pass through unchanged.
///
/// `ErrorInfo.domain` is `gateway.yijia`. Failed authentication and authorization are a
/// ``CommonFailure``: reasons `CALLER_UNPROVEN`, `CALLER_KIND`, `ROLE`.
public enum GatewayFailure: ServiceFailure, Hashable {
  /// No service behind this gateway has the method.
  case methodUnknown(path: String)
  /// The policy allows partners, but this partner or key was not granted the method.
  case methodNotGranted
  /// The request has several credentials, which may belong to different callers.
  case credentialsAmbiguous
  /// The credential has expired.
  case credentialExpired
  /// The kiosks' feed has not been read, or is interrupted, so an unknown key cannot be judged.
  case kiosksUnknown
  /// The keys of a token's issuer have not been downloaded yet.
  case issuerKeysUnknown
  /// `grpc-timeout` is malformed.
  case timeoutMalformed
  /// The caller's deadline passed.
  case deadlineExceeded
  /// A request message is longer than the limit, in bytes.
  case messageTooLarge(bytesMax: Int)
  /// A service's response message is longer than JSON callers get, in bytes.
  case answerTooLarge(bytesMax: Int)
  /// The partner exceeded the rate limit of a method.
  case rateExceeded(LimitNotice)
  /// The partner exceeded the limit of concurrent calls of a method.
  case streamsExceeded(LimitNotice)
  /// The partner exceeded the daily quota of a method.
  case quotaExceeded(LimitNotice)
  /// No replica of the service is reachable; the call was not processed.
  case backendUnavailable(service: String)
  /// The connection broke during the call: its outcome is unknown.
  case backendLost(service: String)
  /// Too many calls are waiting for the service.
  case backendBusy(service: String)
  /// The service's response violates gRPC.
  case backendBroken(service: String, RPCError.Code)
  /// No HTTP rule of a contract matches the path.
  case routeUnknown(path: String)
  /// The path exists, but only for other HTTP methods.
  case verbNotAllowed(allowed: [String])
  /// The body of a request was not complete in time.
  case bodyTooSlow
  /// Too many incomplete request bodies are buffered.
  case bodiesHeld
  /// The `content-type` of the body is not supported.
  case contentTypeUnsupported(taken: String)
  /// The body is compressed.
  case contentEncodingUnsupported

  /// Value of `ErrorInfo.domain`.
  public static let domain = "gateway.yijia"

  public var code: RPCError.Code {
    switch self {
    case .methodUnknown: .unimplemented
    case .methodNotGranted: .permissionDenied
    case .credentialsAmbiguous, .credentialExpired: .unauthenticated
    case .kiosksUnknown, .issuerKeysUnknown, .backendUnavailable, .backendLost,
      .bodiesHeld:
      .unavailable
    case .timeoutMalformed: .internalError
    case .deadlineExceeded, .bodyTooSlow: .deadlineExceeded
    case .messageTooLarge, .answerTooLarge, .backendBusy, .rateExceeded, .streamsExceeded,
      .quotaExceeded:
      .resourceExhausted
    case .backendBroken(_, let code): code
    case .routeUnknown: .notFound
    case .verbNotAllowed: .unimplemented
    case .contentTypeUnsupported, .contentEncodingUnsupported: .invalidArgument
    }
  }

  /// HTTP statuses of reasons that are more specific than their code's.
  static let httpStatuses = [
    "VERB_NOT_ALLOWED": 405, "CONTENT_TYPE_UNSUPPORTED": 415, "CONTENT_ENCODING_UNSUPPORTED": 415,
    "MESSAGE_TOO_LARGE": 413, "RESPONSE_TOO_LARGE": 500, "TIMEOUT_MALFORMED": 400,
    "BODY_TOO_SLOW": 408,
  ]

  public var reason: String {
    switch self {
    case .methodUnknown: "METHOD_UNKNOWN"
    case .methodNotGranted: "METHOD_NOT_GRANTED"
    case .credentialsAmbiguous: "CREDENTIALS_AMBIGUOUS"
    case .credentialExpired: "CREDENTIAL_EXPIRED"
    case .kiosksUnknown: "KIOSKS_UNKNOWN"
    case .issuerKeysUnknown: "ISSUER_KEYS_UNKNOWN"
    case .timeoutMalformed: "TIMEOUT_MALFORMED"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .bodyTooSlow: "BODY_TOO_SLOW"
    case .bodiesHeld: "BODIES_HELD"
    case .messageTooLarge: "MESSAGE_TOO_LARGE"
    case .answerTooLarge: "RESPONSE_TOO_LARGE"
    case .rateExceeded: "RATE_EXCEEDED"
    case .streamsExceeded: "STREAMS_EXCEEDED"
    case .quotaExceeded: "QUOTA_EXCEEDED"
    case .backendUnavailable: "BACKEND_UNAVAILABLE"
    case .backendLost: "BACKEND_LOST"
    case .backendBusy: "BACKEND_BUSY"
    case .backendBroken: "BACKEND_BROKEN"
    case .routeUnknown: "ROUTE_UNKNOWN"
    case .verbNotAllowed: "VERB_NOT_ALLOWED"
    case .contentTypeUnsupported: "CONTENT_TYPE_UNSUPPORTED"
    case .contentEncodingUnsupported: "CONTENT_ENCODING_UNSUPPORTED"
    }
  }

  public var metadata: [String: String] {
    switch self {
    case .messageTooLarge(let bytesMax), .answerTooLarge(let bytesMax):
      ["bytes_max": String(bytesMax)]
    case .rateExceeded(let notice): ["burst": String(notice.quota)]
    case .streamsExceeded(let notice): ["streams_max": String(notice.quota)]
    case .quotaExceeded(let notice): ["calls_per_day": String(notice.quota)]
    case .backendUnavailable(let service), .backendLost(let service), .backendBusy(let service),
      .backendBroken(let service, _):
      ["service": service]
    case .verbNotAllowed(let allowed): ["allowed": allowed.joined(separator: ", ")]
    default: [:]
    }
  }

  /// The limit that was reached, for the response's rate limit fields.
  var notice: LimitNotice? {
    switch self {
    case .rateExceeded(let notice), .streamsExceeded(let notice), .quotaExceeded(let notice): notice
    default: nil
    }
  }

  public var retryAfter: Duration? {
    if let notice { return notice.wait }
    switch self {
    case .backendUnavailable, .backendLost, .backendBusy, .kiosksUnknown, .bodiesHeld:
      return .seconds(1)
    case .issuerKeysUnknown: return .seconds(10)
    default: return nil
    }
  }
}

extension GatewayFailure {
  public var text: LocalizedText {
    switch self {
    case .methodUnknown(let path):
      LocalizedText(
        zh: "没有方法 \(path)，请核对接口说明。",
        en: "There is no method \(path): check the contract.")
    case .methodNotGranted:
      LocalizedText(
        zh: "您的密钥未获授权调用该方法，请联系管理员。",
        en: "Your key is not granted this method: ask the administrator.")
    case .credentialsAmbiguous:
      LocalizedText(
        zh: "请求带有多个凭证，请只使用密钥或令牌中的一个。",
        en: "The request has several credentials: send one key or one token only.")
    case .credentialExpired:
      LocalizedText(
        zh: "凭证已过期，请重新登录或更换密钥。",
        en: "The credential has expired: sign in again, or get a new key.")
    case .kiosksUnknown:
      LocalizedText(
        zh: "暂时无法核对终端密钥，请稍后重试。",
        en: "Kiosk keys cannot be checked at the moment: retry later.")
    case .issuerKeysUnknown:
      LocalizedText(
        zh: "暂时无法核对令牌签发方的公钥，请稍后重试。",
        en: "The keys of the token's issuer are not known at the moment: retry later.")
    case .timeoutMalformed:
      LocalizedText(
        zh: "grpc-timeout 格式有误。", en: "The grpc-timeout cannot be read.")
    case .deadlineExceeded:
      LocalizedText(
        zh: "调用超时，结果未知，请用同一请求编号重试。",
        en: "The deadline has passed; the outcome is not known. Retry with the same request id.")
    case .messageTooLarge(let bytesMax):
      LocalizedText(
        zh: "单条消息不得超过 \(bytesMax) 字节，请分批发送。",
        en: "A message may have \(bytesMax) bytes at most: send it in parts.")
    case .answerTooLarge(let bytesMax):
      LocalizedText(
        zh: "应答超过 \(bytesMax) 字节，请减小 pageSize 分页读取。",
        en: "The response has more than \(bytesMax) bytes: ask for less, by a smaller pageSize.")
    case .rateExceeded, .streamsExceeded, .quotaExceeded: limitText
    case .backendUnavailable, .backendBusy:
      LocalizedText(
        zh: "服务暂不可用，未做任何更改，请稍后重试。",
        en: "The service is not available; nothing was done. Retry later.")
    case .backendLost:
      LocalizedText(
        zh: "与服务的连接中断，结果未知，请用同一请求编号重试。",
        en: "The service was lost; the outcome is not known. Retry with the same request id.")
    case .backendBroken:
      LocalizedText(
        zh: "服务未能正常应答，请稍后重试，如持续出现请联系管理员。",
        en: "The service gave no proper answer. Retry later; if it stays, tell the administrator.")
    case .routeUnknown(let path):
      LocalizedText(
        zh: "没有地址 \(path)，请核对接口说明。", en: "There is nothing at \(path): check the contract.")
    case .verbNotAllowed(let allowed):
      LocalizedText(
        zh: "该地址只接受 \(allowed.joined(separator: "、"))。",
        en: "This path takes \(allowed.joined(separator: ", ")) only.")
    case .bodyTooSlow, .bodiesHeld, .contentTypeUnsupported, .contentEncodingUnsupported: bodyText
    }
  }

  private var bodyText: LocalizedText {
    switch self {
    case .bodyTooSlow:
      LocalizedText(
        zh: "请求体上传超时，未做任何更改，请重试。",
        en: "The body took too long; nothing was done. Retry.")
    case .bodiesHeld:
      LocalizedText(
        zh: "系统繁忙，未做任何更改，请稍后重试。",
        en: "Too many bodies are being sent; nothing was done. Retry later.")
    case .contentTypeUnsupported(let taken):
      LocalizedText(zh: "请求体的类型须为 \(taken)。", en: "The body must be \(taken).")
    default:
      LocalizedText(
        zh: "请求体不能压缩，请去掉 content-encoding。",
        en: "The body must not be compressed: send it without content-encoding.")
    }
  }

  private var limitText: LocalizedText {
    switch self {
    case .quotaExceeded(let notice):
      LocalizedText(
        zh: "今日调用次数已达上限 \(notice.quota) 次，未做任何更改，请明日再试。",
        en: "All \(notice.quota) calls of the day are used; nothing was done. Retry tomorrow.")
    case .streamsExceeded(let notice):
      LocalizedText(
        zh: "同时进行的调用不得超过 \(notice.quota) 个，请等其他调用结束后重试。",
        en: "At most \(notice.quota) calls at the same time: retry when others have ended.")
    default:
      LocalizedText(
        zh: "调用过于频繁，未做任何更改，请按 RetryInfo 的时间稍后重试。",
        en: "Too many calls in a time; nothing was done. Retry after the time of RetryInfo.")
    }
  }
}
