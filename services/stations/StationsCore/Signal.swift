import Synchronization

/// A flag that one task waits for and any task raises. Raises that nobody took yet are one.
///
/// Safe to use from any task; at most one waits at a time.
final class Signal: Sendable {
  private struct State {
    var isRaised = false
    var waiter: CheckedContinuation<Void, Never>?
  }
  private let state = Mutex(State())

  init() {}

  /// Wakes whoever waits, or the next that will.
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

  /// Suspends until the flag is raised, lowers it, and returns. Returns at once when the task is
  /// cancelled.
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

  /// As ``wait()``, but also returns when `duration` is over.
  func wait(atMost duration: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        // Time itself is waited for here; cancelled as soon as the signal comes.
        if (try? await Task.sleep(for: duration)) != nil { self.raise() }
      }
      await wait()
      group.cancelAll()
    }
  }
}
