import GoogleProtobuf
import GoogleRPC
import Protobuf
import RPC

extension RPCError {
  private func detail<Detail: Message>(_: Detail.Type) -> Detail? {
    guard let status = try? GoogleRPC.Status(wireBytes: details) else { return nil }
    return status.details.lazy.compactMap { try? $0.unpack(Detail.self) }.first
  }

  /// The reason, if the gateway stated one.
  var gatewayReason: String? {
    detail(ErrorInfo.self).flatMap { $0.domain == "gateway.yijia" ? $0.reason : nil }
  }

  var facts: [String: String] { detail(ErrorInfo.self)?.metadata ?? [:] }

  var retrySeconds: Int64? { detail(RetryInfo.self)?.retryDelay?.seconds }

  /// The invalid fields.
  var violations: [String] { detail(BadRequest.self)?.fieldViolations.map(\.field) ?? [] }

  /// Language and localized text.
  var localized: (locale: String, text: String)? {
    detail(LocalizedMessage.self).map { ($0.locale, $0.message) }
  }
}
