/// Where tasks wait for something to change. Confined to a loop.
package final class WaitPoint: @unchecked Sendable {
  // Guard: `waiters` is touched on `loop` only.
  private let loop: any ExchangeLoop
  private var waiters: [UnsafeContinuation<Void, Never>] = []

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// Suspends until `signal` or the task's cancellation; look again at what was waited for.
  package func wait() async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        assert(loop.isCurrent, "wait() off its loop")
        if Task.isCancelled { continuation.resume() } else { waiters.append(continuation) }
      }
    } onCancel: {
      loop.execute { self.signal() }
    }
  }

  /// Wakes all that wait.
  package func signal() {
    // Resuming queues the task, so nobody waits anew meanwhile.
    for waiter in waiters { waiter.resume() }
    waiters.removeAll(keepingCapacity: true)
  }
}
