import Logging
import RPC

/// Watches a backend's `grpc.health.v1` status over its own connection.
/// Source: gRPC's client-side health checking (gRFC A17).
enum HealthWatch {
  private static let path = "/grpc.health.v1.Health/Watch"

  /// Watches the backend until its connection is gone, and reports each change to the subchannel.
  /// Call on the connection's loop.
  static func start(
    _ service: String, on connection: Connection, of subchannel: Subchannel,
    _ configuration: ClientConfiguration
  ) {
    _ = connection.executor.schedule(after: configuration.connectMax) { [weak subchannel] in
      subchannel?.healthIsOverdue(connection)
    }
    connection.client?.healthWatch = Task(executorPreference: connection.executor) {
      var backoff = Backoff(configuration.backoff)
      var isRenewed = false
      while connection.takesCalls {
        var hasAnswer = false
        do {
          let authority = configuration.authority ?? subchannel.authority
          try await watch(service, on: connection, authority) { isServing in
            hasAnswer = true
            backoff.reset()
            subchannel.healthChanged(connection, isServing ? .serving : .notServing)
          }
        } catch let error as RPCError where error.code == .unimplemented {
          connection.logger.error(
            "a backend has no health service and counts as serving",
            metadata: ["backend": "\(subchannel.target)"])
          return subchannel.healthChanged(connection, .serving)
        } catch {}
        guard connection.takesCalls else { return }
        subchannel.healthChanged(connection, .notServing, "the backend's health check failed")
        // A backend that has answered is asked again at once, but not twice in a row.
        isRenewed = hasAnswer && !isRenewed
        if isRenewed { continue }
        // The wait itself is wanted: the backoff before the backend is asked again.
        try? await Task.sleep(for: backoff.next(random: .random(in: 0..<1)))
      }
    }
  }

  private static func watch(
    _ service: String, on connection: Connection, _ authority: String, _ changed: (Bool) -> Void
  ) async throws {
    var options = ExchangeOptions()
    options.messageBytesMax = 1024
    let exchange = try connection.open(
      RequestHead(path: path), authority: authority, options: options, isCall: false)
    connection.client?.healthCheck = exchange
    defer {
      // A response that could not be read may go on.
      exchange.exchange.reset(.cancel)
      connection.client?.healthCheckEnded()
    }
    exchange.exchange.sendBody(try MessageFramer.frame(HealthRequest(service: service)))
    exchange.exchange.sendEnd(.none)
    while let response = try await exchange.inbox.nextMessage(HealthResponse.self) {
      changed(response.isServing)
    }
    if let error = exchange.inbox.outcome { throw error }
  }
}

/// `grpc.health.v1.HealthCheckRequest { string service = 1; }`, written by hand, since this module
/// imports no generated messages.
struct HealthRequest: WireMessage {
  var service: String

  init(service: String) { self.service = service }

  init(wire bytes: RawSpan) throws {
    throw RPCError(.internalError, "a health request is only sent")
  }

  func wireBytes(headroom: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: headroom)
    guard !service.isEmpty else { return bytes }
    bytes.append(0x0a)
    var count = service.utf8.count
    while count >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: count) | 0x80)
      count >>= 7
    }
    bytes.append(UInt8(count))
    return bytes + Array(service.utf8)
  }
}

/// `grpc.health.v1.HealthCheckResponse { ServingStatus status = 1; }`; SERVING is 1.
struct HealthResponse: WireMessage {
  let isServing: Bool

  init(wire bytes: RawSpan) throws {
    isServing =
      bytes.byteCount >= 2 && bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self) == 0x08
      && bytes.unsafeLoad(fromByteOffset: 1, as: UInt8.self) == 1
  }

  func wireBytes(headroom: Int) throws -> [UInt8] {
    throw RPCError(.internalError, "a health response is only received")
  }
}
