internal import Synchronization

/// Notifies the followers of the feed. Pending wake-ups are coalesced. Safe to call from any
/// thread.
package final class FeedSignal: Sendable {
  private struct State {
    var next = 0
    var waiting: [Int: AsyncStream<Void>.Continuation] = [:]
    var isFinished = false
  }
  private let state = Mutex(State())

  package init() {}

  /// Returns a stream of wake-ups; the first is yielded at once.
  package func wakes() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    continuation.yield()
    let id = state.withLock { state -> Int? in
      if state.isFinished { return nil }
      state.next += 1
      state.waiting[state.next] = continuation
      return state.next
    }
    guard let id else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { _ = $0.waiting.removeValue(forKey: id) }
    }
    return stream
  }

  /// Wakes every follower.
  package func wake() {
    for continuation in state.withLock({ Array($0.waiting.values) }) { continuation.yield() }
  }

  /// Finishes every stream.
  package func finish() {
    let waiting = state.withLock { state in
      state.isFinished = true
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for continuation in waiting { continuation.finish() }
  }
}
