import Foundation

/// A single thread that runs the callers, as a service's handlers run on their connection's event
/// loop.
// Guard: the queue is accessed with `condition` locked only.
final class BenchLoop: TaskExecutor, @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []
  private var isWaiting = false

  init() {
    Thread.detachNewThread { [unowned self] in run() }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    condition.lock()
    jobs.append(job)
    let wakes = isWaiting
    isWaiting = false
    condition.unlock()
    // Once per wait, and after the unlock, as event loops do it.
    if wakes { condition.signal() }
  }

  private func run() {
    var batch: [UnownedJob] = []
    while true {
      condition.lock()
      while jobs.isEmpty {
        isWaiting = true
        condition.wait()
      }
      isWaiting = false
      swap(&batch, &jobs)
      condition.unlock()
      for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
      batch.removeAll(keepingCapacity: true)
    }
  }
}
