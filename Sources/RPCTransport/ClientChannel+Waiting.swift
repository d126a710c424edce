import RPC
import Synchronization

extension ClientChannel {
  /// Waits until the channel changes, the deadline passes or the task is cancelled.
  /// - Throws: `RPCError`: DEADLINE_EXCEEDED, CANCELLED, or RESOURCE_EXHAUSTED if too many calls
  ///   wait.
  func wait(since version: UInt64, deadline: Deadline?) async throws {
    if let deadline, deadline.hasPassed {
      throw RPCError(.deadlineExceeded, "the deadline passed before there was a connection")
    }
    let id = try state.withLock { state throws(RPCError) in
      guard state.waiters.count < configuration.balancing.waitersMax else {
        throw RPCError(.resourceExhausted, "too many calls wait for a connection")
      }
      state.nextWaiter += 1
      return state.nextWaiter
    }
    let timer = deadline.map { deadline in
      loops.next().schedule(after: max(.zero, deadline.remaining)) { self.wake(id) }
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isStale = state.withLock { state in
          if state.version != version { return true }
          state.waiters[id] = continuation
          return false
        }
        if isStale { return continuation.resume() }
        if Task.isCancelled || deadline?.hasPassed == true { wake(id) }
      }
    } onCancel: {
      wake(id)
    }
    timer?.cancel()
    if Task.isCancelled { throw RPCError(.cancelled, "the task was cancelled") }
  }

  private func wake(_ id: UInt64) {
    state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
  }
}
