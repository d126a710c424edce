import Synchronization

/// Tells the watchers of a point that a commit touched it.
///
/// Safe to use from any task.
final class OccupancyHub: Sendable {
  private struct State {
    var watchers: [String: [Int: Signal]] = [:]
    var nextWatcher = 0
  }
  private let state = Mutex(State())

  init() {}

  /// Wakes whoever watches `point` (its identifier).
  func wake(point: String) {
    let signals = state.withLock { Array(($0.watchers[point] ?? [:]).values) }
    for signal in signals { signal.raise() }
  }

  /// Runs `body` with a signal that is raised after each commit at `point`.
  func watch<Result>(
    point: String, _ body: (Signal) async throws -> Result
  ) async rethrows -> Result {
    let signal = Signal()
    let id = state.withLock { state in
      state.nextWatcher += 1
      state.watchers[point, default: [:]][state.nextWatcher] = signal
      return state.nextWatcher
    }
    defer { forget(id, of: point) }
    return try await body(signal)
  }

  /// Watchers of every point together.
  var watcherCount: Int { state.withLock { $0.watchers.values.reduce(0) { $0 + $1.count } } }

  private func forget(_ id: Int, of point: String) {
    state.withLock { state in
      state.watchers[point]?[id] = nil
      if state.watchers[point]?.isEmpty == true { state.watchers[point] = nil }
    }
  }
}
