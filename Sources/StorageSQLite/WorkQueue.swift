internal import Foundation
internal import Storage
internal import Synchronization

/// A bounded queue between tasks that submit and threads that take: first come, first served.
///
/// Submitting never waits; taking blocks its thread, which is why only the engine's own threads do.
// Sendable: every property below `condition` but the atomic is read and written with it locked.
final class WorkQueue<Job: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var jobs: [Job] = []
  private var refusal: StorageError?
  private var isWaitedFor = 0
  /// The last job came soon: so may the next.
  private var isLively = false
  /// Jobs that ever came.
  private let arrivals = Atomic(0)

  /// How long a thread stays awake for the next job while they come as fast: waking it takes about
  /// a third of that, and a lone write two of them.
  private static var awakeMax: Duration { .microseconds(100) }

  init(capacity: Int) {
    self.capacity = capacity
  }

  /// Adds a job.
  ///
  /// - Throws: `StorageError.busy` when too many wait, or why the queue ended.
  func submit(_ job: Job) throws(StorageError) {
    condition.lock()
    defer { condition.unlock() }
    if let refusal { throw refusal }
    guard jobs.count < capacity else { throw .busy }
    jobs.append(job)
    arrivals.add(1, ordering: .releasing)
    if isWaitedFor > 0 { condition.signal() }
  }

  /// Waits for jobs and takes up to `limit`; none means that the queue ended and is empty.
  ///
  /// - Parameter staysAwake: for the one thread that takes: waits awake at first, while jobs come
  ///   one soon after the other.
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

  /// Called and left with `condition` locked.
  private func awaitAwake(since start: ContinuousClock.Instant) {
    let seen = arrivals.load(ordering: .relaxed)
    condition.unlock()
    while arrivals.load(ordering: .acquiring) == seen,
      ContinuousClock.now - start < Self.awakeMax
    {}
    condition.lock()
  }

  /// How many jobs wait.
  var count: Int {
    condition.lock()
    defer { condition.unlock() }
    return jobs.count
  }

  /// Refuses further jobs; those that wait may still be taken. The first reason stays.
  func end(_ reason: StorageError) {
    condition.lock()
    defer { condition.unlock() }
    if refusal == nil { refusal = reason }
    condition.broadcast()
  }

  /// Refuses further jobs for this reason and gives up those that wait.
  func abandon(_ reason: StorageError) -> [Job] {
    condition.lock()
    defer { condition.unlock() }
    refusal = reason
    condition.broadcast()
    defer { jobs = [] }
    return jobs
  }
}
