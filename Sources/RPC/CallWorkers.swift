/// The tasks of a loop that run handlers, one call after the other: a task is not made and thrown
/// away with each call, and calls that arrive together run without a switch between them.
///
/// A handler that suspends keeps its task; the calls behind it get another at once. A cancelled
/// task ends with its call. Confined to the loop.
package final class CallWorkers: @unchecked Sendable {
  // Guard: all mutable state is touched on the loop only; so no access can overlap another's, and
  // it is not checked for that.

  /// A task and the call it is running.
  // Guard: its state is touched on the loop only.
  final class Worker: @unchecked Sendable {
    private var task: Task<Void, Never>?

    func start(
      on loop: any ExchangeLoop,
      _ body: nonisolated(nonsending) @escaping @Sendable () async -> Void
    ) {
      task = Task(executorPreference: loop) {
        await body()
        self.task = nil
      }
    }

    /// Cancels the call that runs; the task ends with it.
    func cancel() { task?.cancel() }
  }

  /// Tasks kept without work, about 2 KB each.
  private static let idleMax = 64

  // Like the loop that owns this, which outlives it.
  private unowned let loop: any ExchangeLoop
  @exclusivity(unchecked) private var waiting: [ServerCall] = []
  @exclusivity(unchecked) private var nextWaiting = 0
  @exclusivity(unchecked) private var idle: [UnsafeContinuation<Void, Never>] = []
  /// A task was woken or made and has not looked yet.
  @exclusivity(unchecked) private var isWaking = false
  private var isStopped = false

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// Runs the call's handler soon, in the order of these calls.
  func start(_ call: ServerCall) {
    waiting.append(call)
    wake()
  }

  /// Ends the tasks that have no work. Idempotent.
  package func stop() {
    isStopped = true
    let parked = idle
    idle = []
    for task in parked { task.resume() }
  }

  private func wake() {
    guard !isWaking, nextWaiting < waiting.count else { return }
    isWaking = true
    if let task = idle.popLast() { return task.resume() }
    let worker = Worker()
    worker.start(on: loop) { await self.work(worker) }
  }

  private nonisolated(nonsending) func work(_ worker: Worker) async {
    isWaking = false
    while !Task.isCancelled {
      if let call = take() {
        await call.run(on: worker)
      } else if idle.count < Self.idleMax, !isStopped {
        await withUnsafeContinuation { idle.append($0) }
        isWaking = false
      } else {
        break
      }
    }
    // A call may have come between the last look and the end.
    wake()
  }

  /// The next call. Should its handler suspend, another task is there for those behind it: one,
  /// however many calls are taken before it looks.
  private func take() -> ServerCall? {
    guard nextWaiting < waiting.count else { return nil }
    let call = waiting[nextWaiting]
    nextWaiting += 1
    if nextWaiting == waiting.count {
      waiting.removeAll(keepingCapacity: waiting.capacity <= 1024)
      nextWaiting = 0
    } else {
      wake()
    }
    return call
  }
}
