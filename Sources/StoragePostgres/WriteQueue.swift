internal import DequeModule
internal import Storage

/// The queue of decided writes, in order of arrival.
///
/// A write whose guard failed in a shared transaction is deferred until after the next transaction,
/// which stores the rest of its group, so that one abort reveals all conflicts of the group. The
/// guard is remembered: from then on only the first write on the same row joins a group. A write
/// that violates a constraint, or whose guard failed often, runs alone and reads under the store's
/// lock, so that what it read still holds at the commit.
struct WriteQueue {
  /// The maximum number of starts of a write, including those caused by others: beyond it there is
  /// a hot spot, which the caller must know of.
  static let startsMax = 1_000
  /// The maximum number of deferred writes being decided at a time.
  private static let decidingMax = 8

  private let options: PostgresOptions
  private var ready: Deque<DecidedWrite> = []
  private var alone: Deque<DecidedWrite> = []
  /// The deferred writes, each with the number of the transaction after which it is decided again.
  private var deferred: Deque<(write: DecidedWrite, after: Int)> = []
  /// The number of ended transactions.
  private var endings = 0
  private var contended = ContendedRows()
  /// The contended rows that each running transaction may change, in order.
  private var taken: Deque<Set<ContendedRows.Key>> = []
  /// The maximum size of the next group, which ends before the write that failed the last one.
  private var nextMax = Int.max
  /// The read phases in flight, with their writes.
  private var deciding: [Int: (write: DecidedWrite, phase: ReadJob)] = [:]
  /// The number of deferred writes with reads in flight.
  private var decidingDeferred = 0

  init(_ options: PostgresOptions) {
    self.options = options
  }

  var count: Int { ready.count + alone.count + deferred.count + deciding.count }

  /// Records that a read phase of a write was queued.
  ///
  /// - Parameter number: A unique number of the phase.
  mutating func reads(_ write: DecidedWrite, by phase: ReadJob, _ number: Int) {
    deciding[number] = (write, phase)
    if write.isDeferred { decidingDeferred += 1 }
  }

  /// Records that a read phase was answered.
  ///
  /// - Parameter wasDeferred: Whether the write was deferred when it was queued.
  mutating func hasRead(_ number: Int, wasDeferred: Bool) {
    deciding[number] = nil
    if wasDeferred { decidingDeferred -= 1 }
  }

  /// Removes the writes whose callers are gone, unless their transactions have started.
  ///
  /// - Returns: The read phases of such writes, to be failed.
  mutating func forget() -> [ReadJob] {
    func isKept(_ write: DecidedWrite) -> Bool {
      if !write.job.isCancelled { return true }
      write.job.finish(CancellationError())
      return false
    }
    ready = Deque(ready.filter(isKept))
    alone = Deque(alone.filter(isKept))
    deferred = Deque(deferred.filter { isKept($0.write) })
    return deciding.values.filter(\.write.job.isCancelled).map(\.phase)
  }

  /// Adds a decided write to the queue, or defers it if a running transaction may change its rows.
  mutating func append(_ write: DecidedWrite) {
    write.isDeferred = false
    if !isFree(contended.keys(of: write.commit)) {
      postpone(write, behind: taken.count)
    } else {
      // A write that was queued before returns to its place.
      let place = ready.lastIndex { $0.job.arrival <= write.job.arrival }
      ready.insert(write, at: place.map { $0 + 1 } ?? 0)
    }
  }

  /// Returns whether no running transaction may change these rows.
  private func isFree(_ rows: Set<ContendedRows.Key>) -> Bool {
    rows.isEmpty || taken.allSatisfy { $0.isDisjoint(with: rows) }
  }

  /// Whether a write waits for a transaction of its own.
  var hasAlone: Bool { !alone.isEmpty }

  /// Returns the writes of the next transaction. A write with `isAlone` is yet to be decided.
  mutating func takeGroup() -> (writes: [DecidedWrite], isFull: Bool) {
    while let write = alone.popFirst() {
      guard isLive(write) else { continue }
      taken.append([])
      return ([write], true)
    }
    taken.append([])
    let most = min(options.writesPerCommit, nextMax)
    nextMax = .max
    let group = takeReady(most)
    if group.isEmpty { taken.removeLast() }
    return (group, group.count == most)
  }

  /// Returns further writes for the transaction last taken, which has `count` writes.
  mutating func takeMore(beside count: Int) -> [DecidedWrite] {
    if nextMax != .max || hasAlone { return [] }
    return takeReady(options.writesPerCommit - count)
  }

  private mutating func takeReady(_ most: Int) -> [DecidedWrite] {
    var group: [DecidedWrite] = []
    var statements = 0
    while let write = ready.first, group.count < most {
      let size = write.commit.size
      if !group.isEmpty && statements + size > options.statementsPerCommit { break }
      ready.removeFirst()
      guard isLive(write) else { continue }
      let rows = contended.keys(of: write.commit)
      if isFree(rows) {
        taken[taken.count - 1].formUnion(rows)
        group.append(write)
        statements += size
      } else {
        postpone(write, behind: taken.count)
      }
    }
    return group
  }

  /// Returns whether a write may start; completes it if its caller is gone or it waited too long.
  /// Needed besides `expire`, because a write that is retried at once is never queued at a tick.
  private func isLive(_ write: DecidedWrite) -> Bool {
    if write.job.isCancelled {
      write.job.finish(CancellationError())
      return false
    }
    if ContinuousClock.now - write.job.arrival > options.waitMax {
      write.job.finish(StorageError.busy)
      return false
    }
    return true
  }

  /// Returns the next deferred write to decide again, once the conflicting transaction has ended.
  mutating func takeDeferred() -> DecidedWrite? {
    guard let next = deferred.first, decidingDeferred < Self.decidingMax else { return nil }
    let isNothingBefore = ready.isEmpty && taken.isEmpty
    guard next.after < endings || isNothingBefore else { return nil }
    next.write.isDeferred = true
    return deferred.removeFirst().write
  }

  /// Records the end of the first running transaction.
  mutating func ended() {
    taken.removeFirst()
    endings += 1
  }

  /// Handles the rollback of a transaction.
  ///
  /// - Returns: The writes to decide again now.
  mutating func undone(
    _ group: [DecidedWrite], refused: [Int: Statement], failed: [Int: StorageError],
    own: StorageError?
  ) -> [DecidedWrite] {
    ended()
    var again: [DecidedWrite] = []
    var whole: [DecidedWrite] = []
    let broken = failed.keys.min() ?? .max
    for (index, write) in group.enumerated() {
      if index == broken && !whole.isEmpty { nextMax = whole.count }
      if let statement = refused[index] {
        // The guard of the first write of a group can only fail because of another replica.
        if index == 0 { write.attempts += 1 } else { contended.learn(statement.sql) }
        if write.attempts == Limits.attemptsPerWrite {
          write.job.finish(StorageError.contention)
        } else if write.isAlone || write.attempts >= Limits.attemptsPerWrite / 2 {
          runAlone(write)
        } else if index == 0 {
          again.append(write)
        } else {
          postpone(write, behind: taken.count + 1)
        }
      } else if let error = failed[index] {
        if write.isAlone && !error.isPassing { write.job.finish(error) } else { runAlone(write) }
      } else if let own, refused.isEmpty, failed.isEmpty, !own.isPassing {
        // The commit names no write: alone, each one shows whether the error is its own.
        if group.count == 1 { write.job.finish(own) } else { runAlone(write) }
      } else if write.isAlone {
        alone.append(write)
      } else {
        whole.append(write)
      }
    }
    ready.prepend(contentsOf: whole)
    return again
  }

  /// Defers a write until a number of transactions have ended, in order of arrival.
  private mutating func postpone(_ write: DecidedWrite, behind transactions: Int) {
    let place = deferred.lastIndex { $0.write.job.arrival <= write.job.arrival }
    let after = endings + transactions - 1
    deferred.insert((write, after), at: place.map { $0 + 1 } ?? 0)
  }

  /// Queues a write for a transaction of its own.
  mutating func runAlone(_ write: DecidedWrite) {
    write.isAlone = true
    alone.append(write)
  }

  /// Refuses the writes that arrived before an instant.
  mutating func expire(before instant: ContinuousClock.Instant, _ refusal: StorageError) {
    func isKept(_ write: DecidedWrite) -> Bool {
      if write.job.arrival >= instant { return true }
      write.job.finish(refusal)
      return false
    }
    func sweep(_ waiting: inout Deque<DecidedWrite>) {
      if waiting.contains(where: { $0.job.arrival < instant }) {
        waiting = Deque(waiting.filter(isKept))
      }
    }
    sweep(&ready)
    sweep(&alone)
    if deferred.contains(where: { $0.write.job.arrival < instant }) {
      deferred = Deque(deferred.filter { isKept($0.write) })
    }
  }
}

extension StorageError {
  /// Whether a retry may succeed within the server's limits.
  var isPassing: Bool {
    switch self {
    case .contention, .unreachable: true
    default: false
    }
  }
}

extension Commit {
  /// The number of statements, with multi-row statements counted by rows.
  var size: Int { statements.reduce(events.count + audit.count) { $0 + $1.rows } }
  /// Whether there is nothing to store.
  var isEmpty: Bool { size == 0 }
}

extension Statement {
  fileprivate var rows: Int {
    if case .exactly(let count) = expects { max(1, count) } else { 1 }
  }
}
