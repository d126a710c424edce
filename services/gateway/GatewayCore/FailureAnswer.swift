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

  func rendered(_ error: any Error, _ exchange: ServerExchange) async -> RPCError {
    let parts = exchange.head.path.split(separator: "/", maxSplits: 1)
    let method = MethodDescriptor(
      service: parts.first.map(String.init) ?? "", name: parts.dropFirst().joined(),
      kind: .bidirectionalStreaming)
    let context = ServerContext(
      method: method, head: exchange.head, deadline: nil, transport: exchange.exchange.transport)
    do {
      try await mapping.intercept(context) { throw error }
      return RPCError(.internalError, "")
    } catch var answer as RPCError {
      if let notice = (error as? GatewayFailure)?.notice {
        answer.metadata = Metadata(custom: notice.fields)
      }
      return answer
    } catch {
      return RPCError(.cancelled, "the call was cancelled")
    }
  }
}
