import Logging
import RPC
import ServiceKit

/// Maps a failure to the status that answers a raw exchange, in the caller's language, by
/// ServiceKit's ``FailureMapping``, as every service does.
struct FailureAnswer: Sendable {
  private let mapping: FailureMapping

  init(logger: Logger) {
    mapping = FailureMapping(domain: GatewayFailure.domain, logger: logger)
  }

  func rendered(_ error: any Error, _ exchange: ServerExchange) -> RPCError {
    let head = exchange.head
    var answer = mapping.status(of: error, method: head.path, metadata: head.metadata)
    if let notice = (error as? GatewayFailure)?.notice {
      answer.metadata = Metadata(custom: notice.fields)
    }
    return answer
  }
}
