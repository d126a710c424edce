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
  private var isRunning = false
  private var contended = ContendedRows()
  /// What the running transaction may change.
  private var taken: Set<ContendedRows.Key> = []
  /// The next group ends before a write that broke off one.
  private var nextMax = Int.max
  /// Writes whose reads are on their way.
  var deciding = 0

  init(_ options: PostgresOptions) {
    self.options = options
  }

  var count: Int { ready.count + alone.count + deferred.count + deciding }

  /// A write was decided.
  mutating func append(_ write: DecidedWrite) {
    if !taken.isEmpty, !taken.isDisjoint(with: contended.keys(of: write.commit)) {
      postpone(write)
    } else {
      // One that waited before goes to its old place.
      let place = ready.lastIndex { $0.job.arrival <= write.job.arrival }
      ready.insert(write, at: place.map { $0 + 1 } ?? 0)
    }
  }

  /// The next transaction's writes; one that `isAlone` is yet to be decided.
  mutating func takeGroup() -> [DecidedWrite] {
    let group = nextGroup()
    isRunning = !group.isEmpty
    return group
  }

  private mutating func nextGroup() -> [DecidedWrite] {
    while let write = alone.popFirst() {
      if isLive(write) { return [write] }
    }
    var group: [DecidedWrite] = []
    var statements = 0
    let most = min(options.writesPerCommit, nextMax)
    nextMax = .max
    while let write = ready.first, group.count < most {
      let size = write.commit.size
      if !group.isEmpty && statements + size > options.statementsPerCommit { break }
      ready.removeFirst()
      guard isLive(write) else { continue }
      let rows = contended.keys(of: write.commit)
      if taken.isDisjoint(with: rows) {
        taken.formUnion(rows)
        group.append(write)
        statements += size
      } else {
        postpone(write)
      }
    }
    return group
  }

  private func isLive(_ write: DecidedWrite) -> Bool {
    if write.job.isCancelled { write.job.finish(CancellationError()) }
    return !write.job.isCancelled
  }

  /// A deferred write to be decided again, now that what it ran into is over.
  mutating func takeDeferred() -> DecidedWrite? {
    guard let next = deferred.first, deciding < Self.decidingMax else { return nil }
    let isNothingBefore = ready.isEmpty && !isRunning
    return next.after < endings || isNothingBefore ? deferred.removeFirst().write : nil
  }

  /// The running transaction is over.
  mutating func ended() {
    taken = []
    endings += 1
    isRunning = false
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
        } else if write.attempts >= Limits.attemptsPerWrite / 2 {
          runAlone(write)
        } else if index == 0 {
          again.append(write)
        } else {
          postpone(write)
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

  /// Lets a write be decided again after the running transaction, in the order of arrival.
  private mutating func postpone(_ write: DecidedWrite) {
    let place = deferred.lastIndex { $0.write.job.arrival <= write.job.arrival }
    deferred.insert((write, endings), at: place.map { $0 + 1 } ?? 0)
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
  /// Another attempt may succeed.
  var isPassing: Bool {
    switch self {
    case .contention, .busy, .unreachable: true
    default: false
    }
  }
}

extension Commit {
  /// Statements that it will be.
  var size: Int { statements.count + events.count + audit.count }
  var isEmpty: Bool { size == 0 }
}
