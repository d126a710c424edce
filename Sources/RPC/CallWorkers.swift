internal import DequeModule

/// A pool of tasks on one loop that run handlers, one call after the other. Reuse saves the
/// creation of a task per call, and calls that arrive together run without a task switch between
/// them.
///
/// A handler that suspends keeps its task; the calls behind it get another at once. A cancelled
/// task ends with its call. Confined to the loop.
package final class CallWorkers: @unchecked Sendable {
  // Guard: all mutable state is touched on the loop only. So accesses cannot overlap, and the
  // exclusivity checks are off.

  /// A task and the call it runs.
  // Guard: its state is touched on the loop only.
  final class Worker: @unchecked Sendable {
    @exclusivity(unchecked) private var task: Task<Void, Never>?

    func start(
      on loop: any ExchangeLoop,
      _ body: nonisolated(nonsending) @escaping @Sendable () async -> Void
    ) {
      task = Task(executorPreference: loop) {
        await body()
        self.task = nil
      }
    }

    /// Cancels the running call; the task ends with it.
    func cancel() { task?.cancel() }
  }

  /// The most idle tasks that are kept, about 2 KB each.
  private static let idleMax = 64

  // Unowned, because the loop owns this pool and outlives it.
  private unowned let loop: any ExchangeLoop
  @exclusivity(unchecked) private var waiting: Deque<ServerCall> = []
  @exclusivity(unchecked) private var idle: [UnsafeContinuation<Void, Never>] = []
  /// Whether a task was resumed or created that has not looked for a call yet.
  @exclusivity(unchecked) private var isWaking = false
  @exclusivity(unchecked) private var isStopped = false

  package init(loop: any ExchangeLoop) { self.loop = loop }

  /// The time after which a task lets the loop do other things: handlers that do not suspend all
  /// run in one job of it.
  private static let timeMax: Duration = .microseconds(500)
  /// The most calls between two looks at the clock; it is looked at after the first, second and
  /// fourth as well.
  private static let callsPerLook = 8

  /// Queues the call's handler to run soon; handlers start in the order of these calls.
  func start(_ call: ServerCall) {
    waiting.append(call)
    wake()
  }

  /// Ends the idle tasks. Idempotent.
  package func stop() {
    isStopped = true
    let parked = idle
    idle = []
    for task in parked { task.resume() }
  }

  private func wake() {
    guard !isWaking, !waiting.isEmpty else { return }
    isWaking = true
    if let task = idle.popLast() { return task.resume() }
    let worker = Worker()
    worker.start(on: loop) { await self.work(worker) }
  }

  private nonisolated(nonsending) func work(_ worker: Worker) async {
    isWaking = false
    var count = 0
    var began: Moment?
    while !Task.isCancelled {
      if let call = take() {
        await call.run(on: worker)
        count += 1
        guard count % Self.callsPerLook == 0 || count & (count - 1) == 0 else { continue }
        let now = Moment.now
        guard let first = began else {
          began = now
          continue
        }
        guard now - first > Self.timeMax else { continue }
        (count, began) = (0, nil)
        await Task.yield()
      } else if idle.count < Self.idleMax, !isStopped {
        await withUnsafeContinuation { idle.append($0) }
        isWaking = false
        (count, began) = (0, nil)
      } else {
        break
      }
    }
    // A call may have been queued between the last look and here.
    wake()
  }

  /// Takes the next call. If others are queued behind it, wakes one more task for them, unless one
  /// is already on its way, since this call's handler may suspend.
  private func take() -> ServerCall? {
    guard let call = waiting.popFirst() else { return nil }
    wake()
    return call
  }
}
