import Synchronization

/// Carries the status of a finished stream to the interceptors around it, and what they make of it
/// back to the caller.
final class CallEnd: Sendable {
  private let task = Mutex<Task<Void, Never>?>(nil)
  private let status = Promise<RPCError?>()
  private let outcome = Promise<(any Error)?>()

  func runs(in chain: Task<Void, Never>) { task.withLock { $0 = chain } }

  /// The caller gave up before the call began.
  func cancelChain() { task.withLock { $0 }?.cancel() }

  /// The call has ended; nil is OK. Only the first time counts.
  func tell(_ error: RPCError?) { status.fulfil(error) }

  /// The same, and waits for what the interceptors make of it.
  /// - Throws: what the caller is to get.
  func told(_ error: RPCError?) async throws {
    tell(error)
    if let error = await outcome.value { throw error }
  }

  /// For the interceptors: waits for the end.
  func wait() async throws {
    if let error = await status.value { throw error }
  }

  /// The interceptors are through.
  func settle(_ error: (any Error)?) { outcome.fulfil(error) }
}

/// A value that comes once, and those who wait for it.
private final class Promise<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiters: [CheckedContinuation<Value, Never>] = []
  }

  private let state = Mutex(State())

  /// Sets the value, the first time.
  func fulfil(_ value: Value) {
    let waiters = state.withLock { state in
      guard state.value == nil else { return [CheckedContinuation<Value, Never>]() }
      state.value = .some(value)
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(returning: value) }
  }

  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        let known = state.withLock { state -> Value? in
          if state.value == nil { state.waiters.append(continuation) }
          return state.value
        }
        if let known { continuation.resume(returning: known) }
      }
    }
  }
}
