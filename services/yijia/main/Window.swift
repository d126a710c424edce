import Synchronization

/// How many requests of a stream may be unanswered: `wait` before sending, `open` at each answer.
final class Window: Sendable {
  private struct State {
    var places: Int
    var isFinished = false
    var waiter: CheckedContinuation<Bool, Never>?
  }
  private let state: Mutex<State>

  init(_ places: Int) { state = Mutex(State(places: places)) }

  /// Waits for a place; false where the stream ended meanwhile. One sender.
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

  /// Gives a place back.
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

  /// Ends the wait for good.
  func finish() {
    let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      state.isFinished = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: false)
  }
}
