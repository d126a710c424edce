internal import Storage
internal import Synchronization

/// The one writer of a file: takes what waits, in groups, each group one durable commit.
///
/// Runs on a thread of its own. Every job is answered after the commit that it shared, refusals
/// too: what a refusal was based on may be another job's work in the same group.
final class Writer {
  private let session: WriterSession
  private let shared: Shared
  private let fault: (@Sendable () throws -> Void)?
  private let groupLimit: Int
  private let rowLimit: Int

  /// What the writer shares with the tasks that submit.
  final class Shared: Sendable {
    let writes: WorkQueue<any WriteJob>
    let reads: WorkQueue<PendingRead>
    let signal = FeedSignal()
    /// Wakes once, when the store ends.
    let ending = FeedSignal()
    /// Why nothing more can be trusted.
    let failure = Mutex<StorageError?>(nil)
    let statistics = Mutex(WriterStatistics())

    init(_ options: SQLiteOptions) {
      writes = WorkQueue(capacity: options.waitingWrites)
      reads = WorkQueue(capacity: options.waitingReads)
    }

    /// Refuses further calls; those that wait may still be done.
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

  /// Works until the queue ends.
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

  /// Runs a group in one transaction and answers its jobs.
  ///
  /// A group that lost its transaction (a full disk makes SQLite roll back everything) is run again
  /// one by one, so that the job that was too much takes no other with it.
  ///
  /// - Returns: How many of the first jobs were answered.
  private func store(_ group: [any WriteJob]) -> Int {
    do {
      let failures = try transaction(group)
      for (job, failure) in zip(group, failures) { job.finish(failure) }
      do { try session.connection.moveLog() } catch {
        stop(error, group[failures.count...])
        return group.count
      }
      return failures.count
    } catch is WriterSession.Spoiled {
      // A write failed halfway, and no savepoint was there to go back to.
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

  /// Ends early once it has stored much: the others share the next one.
  ///
  /// - Returns: what went wrong with each job, once what didn't is durable.
  /// - Throws: when the transaction as a whole is lost.
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

  /// What the fault hook threw counts as the engine's own failure.
  private func fatal(_ error: any Error) -> StorageError? {
    switch error as? StorageError {
    case .io(let detail) where fault != nil: .io(detail)
    default: nil
    }
  }

  /// After a failed commit or fsync nothing can be trusted: nothing more is acknowledged until the
  /// store is opened again (and has recovered from its log).
  private func stop(_ failure: StorageError, _ group: ArraySlice<any WriteJob>) {
    for job in group { job.finish(failure) }
    for job in shared.writes.abandon(failure) { job.finish(failure) }
    for job in shared.reads.abandon(failure) { job.finish(throwing: failure) }
    shared.failure.withLock { $0 = failure }
    shared.end(failure)
  }
}
