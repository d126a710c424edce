import Synchronization

/// Bounds the unanswered requests of a stream: `wait` before sending, `open` at each response.
final class Window: Sendable {
  private struct State {
    var places: Int
    var isFinished = false
    var waiter: CheckedContinuation<Bool, Never>?
  }
  private let state: Mutex<State>

  init(_ places: Int) { state = Mutex(State(places: places)) }

  /// Waits for a slot; returns false where the stream has ended. For a single sender.
  func wait() async -> Bool {
    await withCheckedContinuation { continuation in
      let answer: Bool? = state.withLock {
        if $0.isFinished { return false }
        if $0.places > 0 {
          $0.places -= 1
          return true
        }
        $0.waiter = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// Releases a slot.
  func open() {
    let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      guard let waiter = state.waiter else {
        state.places += 1
        return nil
      }
      state.waiter = nil
      return waiter
    }
    waiter?.resume(returning: true)
  }

  /// Ends all waiting: `wait` returns false from then on.
  func finish() {
    let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      state.isFinished = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: false)
  }
}
