internal import DequeModule
internal import Storage

/// The decided writes that wait for their transaction, first come, first served.
///
/// A write whose guard failed in a shared transaction is decided again after the next one, in which
/// the others of its group are stored: so one abort finds all that ran into each other. The guard
/// is remembered, and from then on, of the writes with it for one row only the first joins a
/// group. A write that a constraint refused, or whose guard failed often, runs again alone, and
/// reads under the store's lock: what it read then still holds.
struct WriteQueue {
  /// Attempts of one write, those that others spoiled counted too: it is a hot spot that the caller
  /// must know of.
  static let startsMax = 1_000
  /// Deferred writes that are decided again at a time.
  private static let decidingMax = 8

  private let options: PostgresOptions
  private var ready: Deque<DecidedWrite> = []
  private var alone: Deque<DecidedWrite> = []
  /// With the transaction after which each is decided again.
  private var deferred: Deque<(write: DecidedWrite, after: Int)> = []
  /// Transactions that ended.
  private var endings = 0
  private var contended = ContendedRows()
  /// What each running transaction may change, in their order.
  private var taken: Deque<Set<ContendedRows.Key>> = []
  /// The next group ends before a write that broke off one.
  private var nextMax = Int.max
  /// Writes whose reads are on their way, and those of them that were deferred.
  private var deciding = 0
  private var decidingDeferred = 0

  init(_ options: PostgresOptions) {
    self.options = options
  }

  var count: Int { ready.count + alone.count + deferred.count + deciding }

  /// Reads of a write are on their way.
  mutating func reads(_ write: DecidedWrite) {
    deciding += 1
    if write.isDeferred { decidingDeferred += 1 }
  }

  /// The reads have their answer.
  ///
  /// - Parameter wasDeferred: as the write was when they were sent.
  mutating func hasRead(wasDeferred: Bool) {
    deciding -= 1
    if wasDeferred { decidingDeferred -= 1 }
  }

  /// A write was decided.
  mutating func append(_ write: DecidedWrite) {
    write.isDeferred = false
    if !isFree(contended.keys(of: write.commit)) {
      postpone(write, behind: taken.count)
    } else {
      // One that waited before goes to its old place.
      let place = ready.lastIndex { $0.job.arrival <= write.job.arrival }
      ready.insert(write, at: place.map { $0 + 1 } ?? 0)
    }
  }

  /// Whether no running transaction may change these rows.
  private func isFree(_ rows: Set<ContendedRows.Key>) -> Bool {
    rows.isEmpty || taken.allSatisfy { $0.isDisjoint(with: rows) }
  }

  /// A write waits to have the store to itself.
  var hasAlone: Bool { !alone.isEmpty }

  /// The next transaction's writes; one that `isAlone` is yet to be decided.
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

  /// Writes for a transaction that has so many already: the last that was taken.
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

  /// Answers a write that must not begin (again): its caller has gone, or it waited too long. One
  /// that is undone and taken at once is never seen waiting.
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

  /// A deferred write to be decided again, now that what it ran into is over.
  mutating func takeDeferred() -> DecidedWrite? {
    guard let next = deferred.first, decidingDeferred < Self.decidingMax else { return nil }
    let isNothingBefore = ready.isEmpty && taken.isEmpty
    guard next.after < endings || isNothingBefore else { return nil }
    next.write.isDeferred = true
    return deferred.removeFirst().write
  }

  /// The first of the running transactions is over.
  mutating func ended() {
    taken.removeFirst()
    endings += 1
  }

  /// A transaction was undone.
  ///
  /// - Returns: writes to be decided again now.
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
        // The first of a group has only other replicas to blame.
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
        write.job.finish(own)
      } else if write.isAlone {
        alone.append(write)
      } else {
        whole.append(write)
      }
    }
    ready.prepend(contentsOf: whole)
    return again
  }

  /// Lets a write be decided again after so many transactions, in the order of arrival.
  private mutating func postpone(_ write: DecidedWrite, behind transactions: Int) {
    let place = deferred.lastIndex { $0.write.job.arrival <= write.job.arrival }
    let after = endings + transactions - 1
    deferred.insert((write, after), at: place.map { $0 + 1 } ?? 0)
  }

  /// Puts a write with those that have the store to themselves.
  mutating func runAlone(_ write: DecidedWrite) {
    write.isAlone = true
    alone.append(write)
  }

  /// Refuses those that came before an instant.
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
  /// Another attempt may succeed, and take less than the server's limits.
  var isPassing: Bool {
    switch self {
    case .contention, .unreachable: true
    default: false
    }
  }
}

extension Commit {
  /// Statements that it will be, those of many rows counted as so many.
  var size: Int { statements.reduce(events.count + audit.count) { $0 + $1.rows } }
  var isEmpty: Bool { size == 0 }
}

extension Statement {
  fileprivate var rows: Int {
    if case .exactly(let count) = expects { max(1, count) } else { 1 }
  }
}
