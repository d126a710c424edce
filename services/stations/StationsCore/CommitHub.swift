import Synchronization

/// Notifies watchers that a commit of this process changed a topic.
///
/// Safe to use from any task.
final class CommitHub: Sendable {
  /// A subject that can be watched.
  enum Topic: Sendable, Hashable {
    /// The occupancy of a point, by the point's identifier.
    case occupancy(point: String)
    /// The tree of organizations.
    case organizations
  }

  private struct State {
    var watchers: [Topic: [Int: Signal]] = [:]
    var nextWatcher = 0
  }
  private let state = Mutex(State())

  init() {}

  /// Raises the signals of all watchers of `topic`.
  func wake(_ topic: Topic) {
    let signals = state.withLock { Array(($0.watchers[topic] ?? [:]).values) }
    for signal in signals { signal.raise() }
  }

  /// Runs `body` with a signal that is raised after each commit to `topic`.
  func watch<Result>(
    _ topic: Topic, _ body: (Signal) async throws -> Result
  ) async rethrows -> Result {
    let signal = Signal()
    let id = state.withLock { state in
      state.nextWatcher += 1
      state.watchers[topic, default: [:]][state.nextWatcher] = signal
      return state.nextWatcher
    }
    defer { forget(id, of: topic) }
    return try await body(signal)
  }

  /// Number of watchers, of all topics together.
  var watcherCount: Int { state.withLock { $0.watchers.values.reduce(0) { $0 + $1.count } } }

  private func forget(_ id: Int, of topic: Topic) {
    state.withLock { state in
      state.watchers[topic]?[id] = nil
      if state.watchers[topic]?.isEmpty == true { state.watchers[topic] = nil }
    }
  }
}
