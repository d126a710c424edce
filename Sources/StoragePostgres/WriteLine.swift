internal import DequeModule
internal import Foundation
internal import Storage

/// The write connection: executes groups of writes, one transaction each.
///
/// Isolation is `read committed` under one advisory lock per store, held until the commit has
/// finished, so the transactions of all replicas are serialized, as on SQLite. They can't deadlock,
/// event positions are in commit order, and a guard that holds when checked still holds at the
/// commit. Earlier reads of a write are covered by its guards (see `Step`).
///
/// A group whose guards can only fail by an error is one batch, an implicit transaction that the
/// sync commits. Any other group runs in an explicit transaction, committed after its row counts
/// were checked. While one transaction commits, the next one is already sent and stays open for
/// further writes, so that the server is never idle.
final class WriteLine {
  enum Tag {
    /// A statement of the connection itself.
    case own
    case statement(write: Int, Statement)
    case commit
    /// The sync of a batch.
    case end
  }

  /// The outcome of a transaction.
  enum Outcome {
    /// The store is locked for this write: what it reads holds until its commit.
    case locked(DecidedWrite)
    case committed([DecidedWrite], hasEvents: Bool)
    /// The commit may not have reached every synchronous standby: the server issued a warning.
    case unsure([DecidedWrite], warning: String)
    /// Rolled back. `refused`: the failed guard, by index of the write. `failed`: the error, by
    /// index of the write. `own`: an error of the transaction itself.
    case undone(
      [DecidedWrite], refused: [Int: Statement], failed: [Int: StorageError], own: StorageError?)
  }

  let pipeline: Pipeline<Tag>
  private let session: PostgresSession
  /// The running transactions, at most two; the first of two is committing.
  private var transactions: Deque<WriteTransaction> = []
  /// The session's audit chain. After a commit with unknown outcome a new session starts a new one.
  private var chain: AuditChain
  /// Whether the session is in a failed transaction.
  private var isAborted = false
  /// Whether the server only reads, although it accepted writes when the connection was made.
  private var isReadOnly = false
  /// Cached results of `Statement.isSure`, by SQL text.
  private var sureTexts: [String: Bool] = [:]

  /// The maximum number of cached texts.
  private static let textsMax = 512

  init(_ link: PostgresLink, _ session: PostgresSession) {
    pipeline = Pipeline(link)
    self.session = session
    chain = AuditChain(name: session.chainName)
  }

  var isIdle: Bool { transactions.isEmpty }

  /// Whether the connection is to be closed, so that a server that writes is looked for.
  var isUseless: Bool { isReadOnly && isIdle }

  /// Whether another transaction can be sent.
  var canBegin: Bool {
    !isReadOnly && transactions.count < 2 && transactions.last?.isCommitting ?? true
  }

  /// The number of writes in the open transaction behind a commit; `nil` if there is none.
  var openCount: Int? {
    guard transactions.count == 2, let last = transactions.last, last.isRunning, last.isExplicit
    else { return nil }
    return last.group.count
  }

  func isLocked(for write: DecidedWrite) -> Bool {
    guard let first = transactions.first, first.isLocked else { return false }
    return first.group.first === write
  }

  // MARK: Sending

  /// Sends a group.
  ///
  /// - Parameter isFull: Whether the group has no room for further writes.
  func begin(_ writes: [DecidedWrite], isFull: Bool) {
    precondition(canBegin, "one transaction at a time beside the one that commits")
    // Audit entries are chained: a batch must not commit if the preceding transaction fails.
    let isOneBatch =
      writes.allSatisfy { isSure($0.commit) }
      && (isIdle || (isFull && writes.allSatisfy(\.commit.audit.isEmpty)))
    let transaction = WriteTransaction(
      writes, isOneBatch ? .committing : .running, isExplicit: !isOneBatch, chain: chain)
    transactions.append(transaction)
    start(transaction)
    send(writes, from: 0, in: transaction)
    if isOneBatch { sendEnds(of: transaction) }
    sync(transaction)
  }

  /// Adds writes to the open transaction.
  func add(_ writes: [DecidedWrite]) {
    guard let transaction = transactions.last, openCount != nil else {
      preconditionFailure("a transaction is open")
    }
    let count = transaction.group.count
    transaction.append(writes)
    send(writes, from: count, in: transaction)
    sync(transaction)
  }

  /// Acquires the store's lock for a write that has not been decided yet.
  func lock(for write: DecidedWrite) {
    precondition(isIdle, "one transaction at a time")
    let transaction = WriteTransaction([write], .locking, isExplicit: true, chain: chain)
    transactions.append(transaction)
    start(transaction)
    sync(transaction)
  }

  /// Sends the write for which the store is locked, after its decision.
  func store() {
    guard let transaction = transactions.first, transaction.isLocked else { return }
    transaction.state = .running
    send(transaction.group, from: 0, in: transaction)
    sync(transaction)
  }

  /// Releases the lock if the write has nothing to store. The outcome is `undone` with an empty
  /// group.
  func release() {
    guard let transaction = transactions.first else { return }
    transaction.dropGroup()
    undo(transaction)
  }

  private func start(_ transaction: WriteTransaction) {
    if isAborted && transactions.count == 1 {
      send(Statement("ROLLBACK"), .own)
      isAborted = false
    }
    if transaction.isExplicit { send(Statement("BEGIN"), .own) }
    send(Statement("SELECT pg_advisory_xact_lock(?1)", [session.lock]), .own)
  }

  private func send(
    _ writes: [DecidedWrite], from first: Int, in transaction: WriteTransaction
  ) {
    for (offset, write) in writes.enumerated() {
      let (index, commit) = (first + offset, write.commit)
      if !commit.events.isEmpty { transaction.hasEvents = true }
      let entries = commit.audit.map { chain.append($0, at: commit.time) }
      let events = PostgresSession.insert(
        commit.events, microseconds: commit.time.microseconds)
      for statement in commit.statements + events + Statement.folded(entries) {
        send(statement, .statement(write: index, statement))
      }
    }
  }

  /// Sends the statements needed once per transaction, before its commit.
  private func sendEnds(of transaction: WriteTransaction) {
    if chain != transaction.chainAtBegin {
      for statement in chain.storeHead(since: transaction.chainAtBegin) { send(statement, .own) }
    }
    if transaction.hasEvents {
      send(Statement("SELECT pg_notify(?1, '')", [session.channel]), .own)
    }
  }

  private func send(_ statement: Statement, _ tag: Tag) {
    do {
      try pipeline.send(statement.sql, statement.arguments, tag)
    } catch {
      guard let transaction = transactions.last else { return }
      if case .statement(let write, _) = tag {
        transaction.fail(error, of: write)
      } else {
        transaction.fail(error, of: nil)
      }
      // Fails the implicit transaction, so that the sync does not commit what was queued of it.
      if !transaction.isExplicit { send(Statement("SELECT 1 / 0"), .own) }
    }
  }

  private func sync(_ transaction: WriteTransaction) {
    transaction.batches += 1
    pipeline.sync(.end)
  }

  private func undo(_ transaction: WriteTransaction) {
    transaction.state = .undoing
    send(Statement("ROLLBACK"), .own)
    isAborted = false
    sync(transaction)
  }

  private func isSure(_ commit: Commit) -> Bool {
    commit.statements.allSatisfy { statement in
      if case .any = statement.expects { return true }
      if let known = sureTexts[statement.sql] { return known && statement.expects == .exactly(1) }
      if sureTexts.count >= Self.textsMax { sureTexts = [:] }
      let isSure = statement.isSure
      sureTexts[statement.sql] = isSure
      return isSure
    }
  }

  // MARK: Receiving

  /// Handles the arrived answers and returns the outcomes. Each transaction has one outcome,
  /// possibly after `locked`.
  func receive() -> [Outcome] {
    var outcomes: [Outcome] = []
    pipeline.receive { answer in
      switch answer {
      case .command(let tag, let result): take(result, tag)
      case .done: break
      case .sync: if let outcome = takeEnd() { outcomes.append(outcome) }
      }
    }
    return outcomes
  }

  private func take(_ result: PostgresResult, _ tag: Tag) {
    guard let transaction = transactions.first else { return }
    if case .failed(let error) = result.status, error.isReadOnly { isReadOnly = true }
    switch (result.status, tag) {
    case (.failed(let error), _) where error.isAborted:
      isAborted = true
      transaction.ownFailure = .contention
    case (.failed(let error), _) where error.isForgotten: transaction.ownFailure = .contention
    case (.failed(let error), .statement(let write, let statement)) where !error.endsConnection:
      // Blocked by a session outside the store's writers. A retry would block all of them again.
      let isLate = error.isCancellation || error.isLockTimeout
      transaction.fail(isLate ? .busy : error.storageError(sql: statement.sql), of: write)
    case (.failed(let error), _):
      transaction.fail(error.ownError, of: nil)
    case (.done, .statement(let write, let statement)) where !statement.allows(result.touched):
      transaction.refuse(write, statement)
    case (.done, .commit) where !result.isCommit:
      transaction.ownFailure = .contention
    default: break
    }
  }

  /// Handles the end of a batch; after the last one, decides how the transaction continues.
  private func takeEnd() -> Outcome? {
    guard let transaction = transactions.first else { return nil }
    transaction.batches -= 1
    guard transaction.batches == 0 else { return nil }
    switch transaction.state {
    case .locking where transaction.isSound:
      transaction.state = .locked
      return .locked(transaction.group[0])
    case .running where transaction.isSound:
      transaction.state = .committing
      sendEnds(of: transaction)
      send(Statement("COMMIT"), .commit)
      sync(transaction)
      return nil
    case .locking, .running:
      undo(transaction)
      return nil
    case .committing where transaction.isSound: return committed(transaction)
    case .committing: return spoiled(transaction)
    case .undoing: return undone(transaction)
    case .locked: return nil
    }
  }

  private func committed(_ transaction: WriteTransaction) -> Outcome {
    transactions.removeFirst()
    // For example, the server stopped waiting for a standby: stored here but not replicated.
    if let warning = pipeline.link.takeWarning() {
      return .unsure(transaction.group, warning: warning)
    }
    return .committed(transaction.group, hasEvents: transaction.hasEvents)
  }

  /// Handles a commit that failed, or was skipped because of an earlier error.
  private func spoiled(_ transaction: WriteTransaction) -> Outcome? {
    guard let next = transactions.dropFirst().first else {
      if !transaction.isExplicit { return undone(transaction) }
      undo(transaction)
      return nil
    }
    // The audit entries of an explicit transaction are chained to the lost ones. A one-batch
    // transaction behind a commit has no entries, so it is unaffected.
    if next.isExplicit { next.ownFailure = .contention } else { chain = transaction.chainAtBegin }
    next.chainAtBegin = transaction.chainAtBegin
    return undone(transaction)
  }

  private func undone(_ transaction: WriteTransaction) -> Outcome {
    transactions.removeFirst()
    if transactions.isEmpty { chain = transaction.chainAtBegin }
    _ = pipeline.link.takeWarning()
    return .undone(
      transaction.group, refused: transaction.refused, failed: transaction.failed,
      own: transaction.ownFailure)
  }

  /// Returns the groups of a lost connection. A group is undecided if its commit had not been sent:
  /// then nothing of it is stored.
  func abandon() -> [(group: [DecidedWrite], isUndecided: Bool)] {
    defer { transactions = [] }
    return transactions.map { ($0.group, !$0.isCommitting) }
  }
}
