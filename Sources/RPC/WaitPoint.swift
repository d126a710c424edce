/// A place where tasks on a loop wait for something to change. Confined to that loop.
package final class WaitPoint: @unchecked Sendable {
  // Guard: all mutable state is touched on `loop` only.
  private let loop: any ExchangeLoop
  /// The first waiter; there is seldom more than one.
  @exclusivity(unchecked) private var waiter: UnsafeContinuation<Void, Never>?
  @exclusivity(unchecked) private var others: [UnsafeContinuation<Void, Never>] = []

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// Suspends until `signal` or the task's cancellation. Check afterwards what was waited for.
  package nonisolated(nonsending) func wait() async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        assert(loop.isCurrent, "wait() off its loop")
        if Task.isCancelled { return continuation.resume() }
        if waiter == nil { waiter = continuation } else { others.append(continuation) }
      }
    } onCancel: {
      loop.execute { self.signal() }
    }
  }

  /// Resumes all waiting tasks.
  package func signal() {
    // Resuming only enqueues a task, so none waits again meanwhile.
    guard let first = waiter else { return }
    waiter = nil
    first.resume()
    for other in others { other.resume() }
    others.removeAll(keepingCapacity: true)
  }
}
