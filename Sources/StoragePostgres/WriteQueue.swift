internal import DequeModule
internal import Storage

/// The decided writes that wait for their transaction, first come, first served.
///
/// Writes that failed a guard in a shared transaction show by it what they run into each other
/// with: from then on, of those with such a statement for one row only the first joins a group; the
/// others are decided again after it. A write that a constraint refused, or whose guard failed
/// often, runs again alone, and reads under the store's lock: what it read then still holds.
struct WriteQueue {
  /// Attempts of one write, those that others spoiled counted too: it is a hot spot that the caller
  /// must know of.
  static let startsMax = 1_000
  /// Deferred writes that are decided again at a time.
  private static let decidingMax = 16
  /// Texts kept of statements that writes ran into each other with.
  private static let contendedMax = 256

  private let options: PostgresOptions
  private var ready: Deque<DecidedWrite> = []
  private var alone: Deque<DecidedWrite> = []
  private var deferred: Deque<DecidedWrite> = []
  private var contended: Set<String> = []
  /// What the running transaction may change.
  private var taken: Set<ContendedRow> = []
  /// Writes whose reads are on their way.
  var deciding = 0

  init(_ options: PostgresOptions) {
    self.options = options
  }

  var count: Int { ready.count + alone.count + deferred.count + deciding }

  /// A write was decided.
  mutating func append(_ write: DecidedWrite) {
    if !taken.isEmpty, !taken.isDisjoint(with: write.rows(of: contended)) {
      deferred.append(write)
    } else {
      ready.append(write)
    }
  }

  /// The next transaction's writes; one that `isAlone` is yet to be decided.
  mutating func takeGroup() -> [DecidedWrite] {
    while let write = alone.popFirst() {
      if isLive(write) { return [write] }
    }
    var group: [DecidedWrite] = []
    var statements = 0
    while let write = ready.first, group.count < options.writesPerCommit {
      let size = write.commit.size
      if !group.isEmpty && statements + size > options.statementsPerCommit { break }
      ready.removeFirst()
      guard isLive(write) else { continue }
      let rows = write.rows(of: contended)
      if taken.isDisjoint(with: rows) {
        taken.formUnion(rows)
        group.append(write)
        statements += size
      } else {
        deferred.append(write)
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
    taken.isEmpty && deciding < Self.decidingMax ? deferred.popFirst() : nil
  }

  /// The running transaction is over.
  mutating func ended() {
    taken = []
  }

  /// A transaction was undone.
  ///
  /// - Returns: writes to be decided again now.
  mutating func undone(
    _ group: [DecidedWrite], refused: Set<Int>, failed: [Int: StorageError], own: StorageError?
  ) -> [DecidedWrite] {
    ended()
    var again: [DecidedWrite] = []
    var whole: [DecidedWrite] = []
    for (index, write) in group.enumerated() {
      if refused.contains(index) {
        // The first of a group has only other replicas to blame.
        if index == 0 { write.attempts += 1 } else { learn(write) }
        if write.attempts == Limits.attemptsPerWrite {
          write.job.finish(StorageError.contention)
        } else if write.attempts >= Limits.attemptsPerWrite / 2 {
          runAlone(write)
        } else {
          again.append(write)
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

  /// Puts a write with those that have the store to themselves.
  mutating func runAlone(_ write: DecidedWrite) {
    write.isAlone = true
    alone.append(write)
  }

  private mutating func learn(_ write: DecidedWrite) {
    if contended.count >= Self.contendedMax { contended = [] }
    for statement in write.commit.statements where statement.expects != .any {
      contended.insert(statement.sql)
    }
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
    sweep(&deferred)
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
