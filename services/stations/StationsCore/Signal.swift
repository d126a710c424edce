import Synchronization

/// An auto-reset event: one task waits for it, any task raises it. Raising it twice before the wait
/// counts once.
///
/// Safe to use from any task; at most one task may wait at a time.
final class Signal: Sendable {
  private struct State {
    var isRaised = false
    var waiter: CheckedContinuation<Void, Never>?
  }
  private let state = Mutex(State())

  init() {}

  /// Resumes the waiting task, or lets the next wait return at once.
  func raise() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard let waiter = state.waiter else {
        state.isRaised = true
        return nil
      }
      state.waiter = nil
      return waiter
    }
    waiter?.resume()
  }

  /// Suspends until the event is raised, and resets it. Returns at once when the task is cancelled.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isRaised = state.withLock { state in
          precondition(state.waiter == nil, "one task waits at a time")
          if state.isRaised || Task.isCancelled {
            state.isRaised = false
            return true
          }
          state.waiter = continuation
          return false
        }
        if isRaised { continuation.resume() }
      }
    } onCancel: {
      raise()
    }
  }

  /// Suspends like ``wait()``, for `duration` at most.
  func wait(atMost duration: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        // A real time limit; cancelled as soon as the event is raised.
        if (try? await Task.sleep(for: duration)) != nil { self.raise() }
      }
      await wait()
      group.cancelAll()
    }
  }
}
