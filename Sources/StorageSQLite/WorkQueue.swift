internal import Foundation
internal import Storage

/// A bounded queue between tasks that submit and threads that take: first come, first served.
///
/// Submitting never waits; taking blocks its thread, which is why only the engine's own threads do.
// Sendable: every property below `condition` is read and written with `condition` locked.
final class WorkQueue<Job: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var jobs: [Job] = []
  private var refusal: StorageError?

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
    condition.signal()
  }

  /// Waits for jobs and takes up to `limit`; none means that the queue ended and is empty.
  func take(_ limit: Int) -> [Job] {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty && refusal == nil { condition.wait() }
    if jobs.count <= limit {
      defer { jobs.removeAll(keepingCapacity: true) }
      return jobs
    }
    defer { jobs.removeFirst(limit) }
    return Array(jobs.prefix(limit))
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
