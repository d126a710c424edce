import RPC
import Synchronization

/// What the faces of other protocols have in common: each of their requests is a gRPC call of the
/// gateway itself.
enum InnerCall {
  /// What HTTP and browsers say to each other, and no service needs.
  private static let dropped: Set<String> = [
    "accept", "accept-charset", "accept-encoding", "cache-control", "cookie", "dnt", "expect",
    "from", "origin", "pragma", "priority", "range", "referer", "upgrade-insecure-requests",
    "via", "x-grpc-web",
  ]

  /// The head of the call: the caller's own fields, `grpc-timeout` among them as it is.
  static func head(to path: String, from head: RequestHead) -> RequestHead {
    var fields: HeaderList = [
      ":method": "POST", ":path": path, "te": "trailers", "content-type": "application/grpc",
    ]
    let given = head.fields
    for index in 0..<given.count {
      let name = given.name(at: index)
      let isTimeout = name == "grpc-timeout"
      guard isTimeout || !given.isReserved(at: index), !dropped.contains(name),
        !name.hasPrefix("sec-"), !name.hasPrefix("if-"), !name.hasPrefix("access-control-")
      else { continue }
      fields.add(field: index, of: given)
    }
    return RequestHead(fields: fields)
  }

  /// Ends a call whose caller has gone, if it still runs.
  static func giveUp(_ service: ClientExchange) async {
    await service.exchange.onLoop {
      guard !service.exchange.state.isClosed else { return }
      service.inbox.fail(RPCError(.cancelled, "the call was given up"))
      service.exchange.reset(.cancel)
    }
  }
}

/// The request of a call on its way in while the answer is on its way out.
struct InnerUpload: Sendable {
  private let service: ClientExchange
  private let body: @Sendable () async throws -> Void

  init(to service: ClientExchange, _ body: @escaping @Sendable () async throws -> Void) {
    self.service = service
    self.body = body
  }

  /// Runs both to the end of the answer.
  ///
  /// - Throws: What was wrong with the request, where that is why the call failed; else what
  ///   `respond` throws.
  func run(_ respond: () async throws -> Void) async throws {
    let wrong = Failure()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          try await body()
        } catch {
          wrong.first.withLock { $0 = $0 ?? error }
          await InnerCall.giveUp(service)
        }
      }
      do {
        try await respond()
      } catch {
        throw wrong.first.withLock { $0 } ?? error
      }
      // The answer is complete: what is left of the request is of no use.
      group.cancelAll()
    }
  }

  private final class Failure: Sendable {
    let first = Mutex<(any Error)?>(nil)
  }
}
