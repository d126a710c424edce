internal import Foundation
internal import Storage
internal import Synchronization

/// A bounded FIFO queue between submitting tasks and worker threads.
///
/// Submitting never blocks. Taking blocks the calling thread and is therefore reserved to the
/// engine's own threads.
// Guard: every mutable property except for the atomic is accessed only under the lock of
// `condition`.
final class WorkQueue<Job: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var jobs: [Job] = []
  private var refusal: StorageError?
  /// The number of threads blocked in `take`.
  private var isWaitedFor = 0
  /// Whether the last job arrived within `awakeMax`, so that the next one is likely to.
  private var isLively = false
  /// The total number of jobs submitted.
  private let arrivals = Atomic(0)

  /// How long a thread spins for the next job while jobs arrive at that rate. Waking a blocked
  /// thread takes about a third of that, and a lone write two such wake-ups.
  private static var awakeMax: Duration { .microseconds(100) }

  init(capacity: Int) {
    self.capacity = capacity
  }

  /// Adds a job.
  ///
  /// - Throws: `StorageError.busy` if the queue is full, or the reason why it ended.
  func submit(_ job: Job) throws(StorageError) {
    try append(job)
    // After the unlock, so that a thread that stays awake for it finds the lock free. A blocked one
    // is signaled before: awake at once, readers would take the lock from those who submit (half as
    // many reads a second from 64 callers).
    arrivals.add(1, ordering: .releasing)
  }

  private func append(_ job: Job) throws(StorageError) {
    condition.lock()
    defer { condition.unlock() }
    if let refusal { throw refusal }
    guard jobs.count < capacity else { throw .busy }
    jobs.append(job)
    if isWaitedFor > 0 { condition.signal() }
  }

  /// Waits for jobs and removes up to `limit` of them. An empty result means that the queue has
  /// ended and is empty.
  ///
  /// - Parameter staysAwake: Whether to spin before blocking while jobs arrive quickly. Only for a
  ///   queue with one worker thread.
  func take(_ limit: Int, staysAwake: Bool = false) -> [Job] {
    condition.lock()
    defer { condition.unlock() }
    if jobs.isEmpty && refusal == nil {
      let start = ContinuousClock.now
      if staysAwake && isLively { awaitAwake(since: start) }
      isWaitedFor += 1
      while jobs.isEmpty && refusal == nil { condition.wait() }
      isWaitedFor -= 1
      isLively = ContinuousClock.now - start < Self.awakeMax
    }
    if jobs.count <= limit {
      defer { jobs.removeAll(keepingCapacity: true) }
      return jobs
    }
    defer { jobs.removeFirst(limit) }
    return Array(jobs.prefix(limit))
  }

  /// Spins until a job arrives or `awakeMax` has passed. Called and left with `condition` locked.
  private func awaitAwake(since start: ContinuousClock.Instant) {
    let seen = arrivals.load(ordering: .relaxed)
    condition.unlock()
    while arrivals.load(ordering: .acquiring) == seen,
      ContinuousClock.now - start < Self.awakeMax
    {}
    condition.lock()
  }

  /// The number of queued jobs.
  var count: Int {
    condition.lock()
    defer { condition.unlock() }
    return jobs.count
  }

  /// Rejects further jobs; queued ones may still be taken. The first reason is kept.
  func end(_ reason: StorageError) {
    condition.lock()
    defer { condition.unlock() }
    if refusal == nil { refusal = reason }
    condition.broadcast()
  }

  /// Rejects further jobs for this reason, and removes and returns the queued ones.
  func abandon(_ reason: StorageError) -> [Job] {
    condition.lock()
    defer { condition.unlock() }
    refusal = reason
    condition.broadcast()
    defer { jobs = [] }
    return jobs
  }
}
