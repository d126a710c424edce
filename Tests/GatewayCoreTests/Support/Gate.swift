import Synchronization

/// A counter whose value a test can await instead of a time.
final class Counter: Sendable {
  private struct State {
    var value = 0
    var waiters: [Int: (least: Int, continuation: CheckedContinuation<Void, Never>)] = [:]
    var nextID = 0
  }

  private let state = Mutex(State())

  var value: Int { state.withLock { $0.value } }

  func add(_ count: Int = 1) {
    let woken = state.withLock { state in
      state.value += count
      let ready = state.waiters.filter { $0.value.least <= state.value }
      for id in ready.keys { state.waiters[id] = nil }
      return ready
    }
    for waiter in woken.values { waiter.continuation.resume() }
  }

  /// Returns when the count is that large, or when the task is cancelled, so that a test that has
  /// exceeded its time limit ends.
  func reaches(_ least: Int) async {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.value >= least || Task.isCancelled { return true }
          state.waiters[id] = (least, continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
    }
  }
}

/// A value shared by tasks.
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
