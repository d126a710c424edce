public import GRPCHealthV1
public import RPC
import Synchronization

/// What this process serves, by service name; "" is the process as a whole.
///
/// Safe to use from any thread.
public final class HealthRegistry: Sendable {
  /// As `grpc.health.v1` has it.
  public typealias ServingStatus = HealthCheckResponse.ServingStatus

  private struct State {
    var statuses: [String: ServingStatus] = ["": .notServing]
    var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    var nextWatcher = 0
  }
  private let state = Mutex(State())

  /// Creates a registry in which the whole server ("") is not serving yet.
  public init() {}

  /// Sets the status of `service` and tells whoever watches.
  public func set(_ service: String = "", _ status: ServingStatus) {
    let watchers = state.withLock {
      $0.statuses[service] = status
      return Array($0.watchers.values)
    }
    for watcher in watchers { watcher.yield() }
  }

  /// The status of `service`; nil where nobody ever set one.
  public func status(of service: String) -> ServingStatus? {
    state.withLock { $0.statuses[service] }
  }

  /// Every service and its status.
  public var all: [String: ServingStatus] { state.withLock { $0.statuses } }

  /// Wakes at every change; changes that nobody took yet are one.
  func changes() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock {
      $0.nextWatcher += 1
      $0.watchers[$0.nextWatcher] = continuation
      return $0.nextWatcher
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { $0.watchers[id] = nil }
    }
    return stream
  }
}

/// `grpc.health.v1.Health`: Check, List, and Watch that answers at once. Anybody may ask.
public struct HealthService: HealthProtocol {
  private let registry: HealthRegistry

  /// - Parameter registry: The statuses that are answered; changes reach running watches.
  public init(registry: HealthRegistry) { self.registry = registry }

  public func check(
    _ request: HealthCheckRequest, context: ServerContext
  ) async throws -> HealthCheckResponse {
    guard let status = registry.status(of: request.service) else {
      throw RPCError(.notFound, "unknown service")
    }
    return response(status)
  }

  public func list(
    _ request: HealthListRequest, context: ServerContext
  ) async throws -> HealthListResponse {
    var list = HealthListResponse()
    list.statuses = registry.all.mapValues(response)
    return list
  }

  public func watch(
    _ request: HealthCheckRequest, responses: ResponseWriter<HealthCheckResponse>,
    context: ServerContext
  ) async throws {
    try context.endWhenDraining()
    let changes = registry.changes()
    var last = registry.status(of: request.service) ?? .serviceUnknown
    try await responses.send(response(last))
    for await _ in changes {
      let now = registry.status(of: request.service) ?? .serviceUnknown
      if now != last {
        last = now
        try await responses.send(response(now))
      }
    }
    try Task.checkCancellation()
  }

  private func response(_ status: HealthRegistry.ServingStatus) -> HealthCheckResponse {
    var response = HealthCheckResponse()
    response.status = status
    return response
  }
}
