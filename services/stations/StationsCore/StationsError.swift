import RPC
import ServiceKit

/// The failures of this service. `ErrorInfo.domain` is `stations.yijia`.
enum StationsError: ServiceFailure, Hashable {
  /// The point does not exist, or the caller may not know of it.
  case pointNotFound
  /// The point is closed permanently.
  case pointClosed
  /// The kiosk does not exist, or the caller may not know of it.
  case kioskNotFound
  /// The kiosk's credential is revoked.
  case kioskRevoked
  /// The members' feed has not delivered the organization.
  case organizationNotFound
  /// The first message of a ReportVisits stream is not a hello, or a later one is.
  case helloExpected
  /// Visits are missing before this one.
  case sequenceGap(expected: Int64, received: Int64)
  /// The response would exceed the maximum number of rows.
  case tooManyRows(limit: Int)

  var code: RPCError.Code {
    switch self {
    case .pointNotFound, .kioskNotFound, .organizationNotFound: .notFound
    case .pointClosed: .failedPrecondition
    case .kioskRevoked: .permissionDenied
    case .helloExpected, .sequenceGap, .tooManyRows: .invalidArgument
    }
  }

  var reason: String {
    switch self {
    case .pointNotFound: "POINT_NOT_FOUND"
    case .pointClosed: "POINT_CLOSED"
    case .kioskNotFound: "KIOSK_NOT_FOUND"
    case .kioskRevoked: "KIOSK_REVOKED"
    case .organizationNotFound: "ORGANIZATION_NOT_FOUND"
    case .helloExpected: "HELLO_EXPECTED"
    case .sequenceGap: "SEQUENCE_GAP"
    case .tooManyRows: "TOO_MANY_ROWS"
    }
  }

  var metadata: [String: String] {
    switch self {
    case .sequenceGap(let expected, let received):
      ["expected_sequence": "\(expected)", "received_sequence": "\(received)"]
    case .tooManyRows(let limit): ["limit": "\(limit)"]
    default: [:]
    }
  }

  var retryAfter: Duration? {
    // The feed delivers a new organization within a moment.
    self == .organizationNotFound ? .seconds(1) : nil
  }

  var text: LocalizedText {
    switch self {
    case .pointNotFound:
      LocalizedText(
        zh: "未找到该服务站点，请核对站点编号。", en: "There is no such point: check its name.")
    case .pointClosed:
      LocalizedText(
        zh: "该站点已永久关闭，请新建站点。", en: "The point closed for good: create a new one.")
    case .kioskNotFound:
      LocalizedText(
        zh: "未找到该终端，请核对终端编号。", en: "There is no such kiosk: check its name.")
    case .kioskRevoked:
      LocalizedText(
        zh: "该终端的密钥已注销，请联系管理员重新登记终端。",
        en: "The kiosk's key was revoked: ask the administrator to register the kiosk anew.")
    case .organizationNotFound:
      LocalizedText(
        zh: "未找到该管理工会。若刚刚建立，请稍后重试；否则请核对编号。",
        en: "The managing union is not known here. If it was founded just now, retry in a moment; "
          + "otherwise check its name.")
    case .helloExpected:
      LocalizedText(
        zh: "上报流的第一条消息应为 hello，且只能有一条。",
        en: "The first message of the stream must be its hello, and there is only one.")
    case .sequenceGap(let expected, let received):
      LocalizedText(
        zh: "到访序号不连续：应为 \(expected)，收到 \(received)。请从 \(expected) 起重新上报；"
          + "终端若已不再保存该序号，请启用新的 spool_epoch，从 1 重新编号上报。",
        en: "A visit is missing: expected sequence \(expected), got \(received). "
          + "Report again from \(expected) on; where that is no longer in the spool, start a new "
          + "spool_epoch, numbered from 1.")
    case .tooManyRows(let limit):
      LocalizedText(
        zh: "结果超过 \(limit) 行，请缩小日期范围或指定站点。",
        en: "More than \(limit) rows: narrow the dates or name a point.")
    }
  }
}
