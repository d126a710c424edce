internal import Storage
internal import Synchronization

/// The only writer of a file: takes queued jobs in groups and stores each group in one durable
/// commit. Confined to a thread of its own.
///
/// Every job is completed after the commit of its group. This includes refusals, because a refusal
/// may be based on the uncommitted effect of another job of the group.
final class Writer {
  private let session: WriterSession
  private let shared: Shared
  private let fault: (@Sendable () throws -> Void)?
  private let groupLimit: Int
  private let rowLimit: Int

  /// The state shared by the writer and the submitting tasks. Safe to call from any thread.
  final class Shared: Sendable {
    let writes: WorkQueue<any WriteJob>
    let reads: WorkQueue<PendingRead>
    let gate = ReadGate()
    let signal = FeedSignal()
    /// Finishes when the store ends.
    let ending = FeedSignal()
    /// The reason why the store failed for good.
    let failure = Mutex<StorageError?>(nil)
    let statistics = Mutex(WriterStatistics())

    init(_ options: SQLiteOptions) {
      writes = WorkQueue(capacity: options.waitingWrites)
      reads = WorkQueue(capacity: options.waitingReads)
    }

    /// Rejects further calls; queued ones may still be executed.
    func end(_ reason: StorageError) {
      writes.end(reason)
      reads.end(reason)
      signal.finish()
      ending.finish()
    }
  }

  init(_ session: WriterSession, _ shared: Shared, _ options: SQLiteOptions) {
    self.session = session
    self.shared = shared
    fault = options.commitFault
    groupLimit = options.writesPerCommit
    rowLimit = options.rowsPerCommit
  }

  /// Executes jobs until the queue ends.
  func run() {
    while true {
      let group = shared.writes.take(groupLimit, staysAwake: true)
      if group.isEmpty { return }
      var live: [any WriteJob] = []
      live.reserveCapacity(group.count)
      for job in group {
        if job.isCancelled { job.finish(CancellationError()) } else { live.append(job) }
      }
      var rest = live[...]
      while !rest.isEmpty { rest = rest.dropFirst(store(Array(rest))) }
    }
  }

  /// Executes a group in one transaction and completes its jobs.
  ///
  /// A group whose transaction was rolled back as a whole (by SQLite, on a full disk) is run again
  /// job by job, so that the job that caused it does not affect the others.
  ///
  /// - Returns: The number of completed jobs, from the first on.
  private func store(_ group: [any WriteJob]) -> Int {
    do {
      let failures = try transaction(group)
      for (job, failure) in zip(group, failures) { job.finish(failure) }
      let isIdle = group.count == 1 && shared.writes.count == 0
      do { try session.connection.moveLog(holding: shared.gate, isIdle: isIdle) } catch {
        stop(error, group[failures.count...])
        return group.count
      }
      return failures.count
    } catch is WriterSession.Spoiled {
      // A write failed after a change, and there was no savepoint to roll back to.
      session.rollBack()
      session.takeSavepoints()
      return store(group)
    } catch {
      session.rollBack()
      if let failure = session.connection.failure ?? fatal(error) {
        stop(failure, group[...])
      } else if group.count == 1 {
        group[0].finish(error)
      } else {
        for (index, job) in group.enumerated() {
          if let failure = session.connection.failure {
            stop(failure, group[index...])
            break
          }
          _ = store([job])
        }
      }
      return group.count
    }
  }

  /// Executes a group in one transaction. Ends early once enough rows were changed; the remaining
  /// jobs share the next transaction.
  ///
  /// - Returns: The error of each job, or `nil`, once the successful ones are durable.
  /// - Throws: If the transaction as a whole was lost.
  private func transaction(_ group: [any WriteJob]) throws -> [(any Error)?] {
    try session.begin()
    var failures: [(any Error)?] = []
    failures.reserveCapacity(group.count)
    let rows = session.connection.changes
    for job in group {
      if session.connection.changes - rows >= rowLimit { break }
      do {
        try job.run(in: session)
        failures.append(nil)
      } catch let error as WriterSession.Spoiled {
        throw session.connection.failure ?? error
      } catch {
        if let failure = session.connection.failure { throw failure }
        guard session.connection.isInTransaction else { throw error }
        failures.append(error)
      }
    }
    let (writes, hasEvents) = try session.commit(fault: fault)
    if writes > 0 {
      shared.statistics.withLock {
        $0.writes += writes
        $0.commits += 1
      }
    }
    if hasEvents { shared.signal.wake() }
    return failures
  }

  /// Returns an I/O error of the fault hook, which counts as a failure of the engine itself.
  private func fatal(_ error: any Error) -> StorageError? {
    switch error as? StorageError {
    case .io(let detail) where fault != nil: .io(detail)
    default: nil
    }
  }

  /// Ends the store after a failed commit or fsync. Nothing more is acknowledged until the store is
  /// opened again and has recovered from its WAL.
  private func stop(_ failure: StorageError, _ group: ArraySlice<any WriteJob>) {
    // Whoever learns of the failure must find the store closed to reads, too.
    let writes = shared.writes.abandon(failure)
    let reads = shared.reads.abandon(failure)
    shared.failure.withLock { $0 = failure }
    for job in group { job.finish(failure) }
    for job in writes { job.finish(failure) }
    for job in reads { job.finish(throwing: failure) }
    shared.end(failure)
  }
}
