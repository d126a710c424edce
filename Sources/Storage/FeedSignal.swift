internal import Synchronization

/// Wakes whoever follows the feed. A wake that nobody took yet covers later ones.
package final class FeedSignal: Sendable {
  private struct State {
    var next = 0
    var waiting: [Int: AsyncStream<Void>.Continuation] = [:]
    var isFinished = false
  }
  private let state = Mutex(State())

  package init() {}

  /// A stream of wakes that begins with one.
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

  package func wake() {
    for continuation in state.withLock({ Array($0.waiting.values) }) { continuation.yield() }
  }

  /// Ends every stream.
  package func finish() {
    let waiting = state.withLock { state in
      state.isFinished = true
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for continuation in waiting { continuation.finish() }
  }
}
