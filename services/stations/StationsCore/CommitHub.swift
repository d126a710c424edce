import Synchronization

/// Tells those who watch something that a commit of this process touched it.
///
/// Safe to use from any task.
final class CommitHub: Sendable {
  /// What can be watched.
  enum Topic: Sendable, Hashable {
    /// Who is at a point, by its identifier.
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

  /// Wakes whoever watches `topic`.
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

  /// Watchers of every topic together.
  var watcherCount: Int { state.withLock { $0.watchers.values.reduce(0) { $0 + $1.count } } }

  private func forget(_ id: Int, of topic: Topic) {
    state.withLock { state in
      state.watchers[topic]?[id] = nil
      if state.watchers[topic]?.isEmpty == true { state.watchers[topic] = nil }
    }
  }
}
