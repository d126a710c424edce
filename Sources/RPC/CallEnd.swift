import Synchronization

/// Connects a streaming call with its interceptors: passes them the status of the finished stream,
/// and passes the error that they make of it back to the caller.
final class CallEnd: Sendable {
  private let chain = Mutex<(task: Task<Void, Never>?, isCancelled: Bool)>((nil, false))
  private let status = Promise<RPCError?>()
  private let outcome = Promise<(any Error)?>()

  /// Sets the task that runs the interceptors.
  func runs(in task: Task<Void, Never>) {
    let isCancelled = chain.withLock { chain in
      chain.task = task
      return chain.isCancelled
    }
    if isCancelled { task.cancel() }
  }

  /// Cancels the interceptors of a call whose caller was cancelled before the call began, perhaps
  /// even before their task did.
  func cancelChain() {
    let task = chain.withLock { chain in
      chain.isCancelled = true
      return chain.task
    }
    task?.cancel()
  }

  /// Sets the status of the call; nil is OK. Only the first status counts.
  func tell(_ error: RPCError?) { status.fulfil(error) }

  /// Sets the status of the call and waits until the interceptors have returned.
  /// - Throws: The error for the caller.
  func told(_ error: RPCError?) async throws {
    tell(error)
    if let error = await outcome.value { throw error }
  }

  /// Waits for the end of the call, on behalf of the interceptors.
  /// - Throws: The status of the call, unless it is OK.
  func wait() async throws {
    if let error = await status.value { throw error }
  }

  /// Sets the outcome of the interceptors: the error for the caller, or nil.
  func settle(_ error: (any Error)?) { outcome.fulfil(error) }
}

/// A value that is set once, and the tasks that wait for it.
private final class Promise<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiters: [CheckedContinuation<Value, Never>] = []
  }

  private let state = Mutex(State())

  /// Sets the value and resumes the waiting tasks; only the first call has an effect.
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
