import Synchronization

/// Counts what happens, so that a test can await a condition instead of a time.
final class Counter: Sendable {
  private struct State {
    var value = 0
    var waiters: [(least: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())

  var value: Int { state.withLock { $0.value } }

  func add(_ count: Int = 1) {
    let woken = state.withLock { state in
      state.value += count
      let ready = state.waiters.filter { $0.least <= state.value }
      state.waiters.removeAll { $0.least <= state.value }
      return ready
    }
    for waiter in woken { waiter.continuation.resume() }
  }

  /// Returns when the count is that large.
  func reaches(_ least: Int) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.value >= least { return true }
        state.waiters.append((least, continuation))
        return false
      }
      if isThere { continuation.resume() }
    }
  }
}

/// A value that tasks share.
final class Shared<Value: Sendable>: Sendable {
  private let state: Mutex<Value>

  init(_ value: Value) { state = Mutex(value) }

  var value: Value {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  func update(_ body: (inout Value) -> Void) { state.withLock { body(&$0) } }
}

/// Suspends until the task is cancelled.
func untilCancelled() async {
  let (stream, continuation) = AsyncStream<Void>.makeStream()
  await withTaskCancellationHandler {
    for await _ in stream {}
  } onCancel: {
    continuation.finish()
  }
}
