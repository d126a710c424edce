internal import DequeModule
internal import Foundation
internal import Storage

/// The writing connection: groups of writes, a transaction each.
///
/// Isolation is `read committed`, under one advisory lock a store, held to the end of the commit:
/// transactions of all replicas follow one another, as on SQLite. So no two of them can deadlock,
/// events get their positions in the order of commits, and a guard that holds still holds at the
/// commit. What a write read before is covered by its guards (see `Step`).
///
/// A group whose guards can't fail but by an error is one batch, which commits at its end. Another
/// is begun, and committed once its counts are seen. While one commits, the next is sent behind it
/// and stays open for what comes meanwhile: the server need not wait for us.
final class WriteLine {
  enum Tag {
    /// A statement of the line's own.
    case own
    case statement(write: Int, Statement)
    case commit
    /// The last of a batch.
    case end
  }

  /// How a transaction ended.
  enum Outcome {
    /// The store is this write's alone: what it reads now holds until its commit.
    case locked(DecidedWrite)
    case committed([DecidedWrite], hasEvents: Bool)
    /// The commit may or may not have reached everybody that it must: the server warned.
    case unsure([DecidedWrite], warning: String)
    /// Rolled back. `refused`: the guard that failed, by index of the write. `failed`: the error,
    /// by index of the write. `own`: an error of the transaction itself.
    case undone(
      [DecidedWrite], refused: [Int: Statement], failed: [Int: StorageError], own: StorageError?)
  }

  let pipeline: Pipeline<Tag>
  private let session: PostgresSession
  /// At most two, of which the first commits.
  private var transactions: Deque<WriteTransaction> = []
  /// One chain a session: after a commit whose end is unknown, a new session begins a new one.
  private var chain: AuditChain
  /// The session stands in a transaction that failed.
  private var isAborted = false
  /// Whether a text is sure, as found before.
  private var sureTexts: [String: Bool] = [:]

  /// Texts kept.
  private static let textsMax = 512

  init(_ link: PostgresLink, _ session: PostgresSession) {
    pipeline = Pipeline(link)
    self.session = session
    chain = AuditChain(name: session.chainName)
  }

  var isIdle: Bool { transactions.isEmpty }

  /// Whether another transaction can be sent now.
  var canBegin: Bool { transactions.count < 2 && transactions.last?.isCommitting ?? true }

  /// The transaction that waits behind a commit and takes more: how many writes it has.
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
  /// - Parameter isFull: no other write would have found room in it.
  func begin(_ writes: [DecidedWrite], isFull: Bool) {
    precondition(canBegin, "one transaction at a time beside the one that commits")
    // Audit entries are chained: the next ones must not be committed where the first ones aren't.
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

  /// Adds to the transaction that is open.
  func add(_ writes: [DecidedWrite]) {
    guard let transaction = transactions.last, openCount != nil else {
      preconditionFailure("a transaction is open")
    }
    let count = transaction.group.count
    transaction.append(writes)
    send(writes, from: count, in: transaction)
    sync(transaction)
  }

  /// Takes the store's lock for a write that is yet to be decided.
  func lock(for write: DecidedWrite) {
    precondition(isIdle, "one transaction at a time")
    let transaction = WriteTransaction([write], .locking, isExplicit: true, chain: chain)
    transactions.append(transaction)
    start(transaction)
    sync(transaction)
  }

  /// Goes on with the write that the store is locked for, now decided.
  func store() {
    guard let transaction = transactions.first, transaction.isLocked else { return }
    transaction.state = .running
    send(transaction.group, from: 0, in: transaction)
    sync(transaction)
  }

  /// Gives the lock back: the write has nothing to store. The outcome is `undone`, of nothing.
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
        commit.events, microseconds: commit.time.microsecondsSince1970)
      for statement in commit.statements + events + Statement.folded(entries) {
        send(statement, .statement(write: index, statement))
      }
    }
  }

  /// What is sent once a transaction, before its commit.
  private func sendEnds(of transaction: WriteTransaction) {
    if chain != transaction.chainAtBegin { send(chain.storeHead(), .own) }
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
      // What was queued of it must not be committed by its batch's end: an error prevents that.
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

  /// Takes answers; each transaction has one outcome, and `locked` before it.
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
    switch (result.status, tag) {
    case (.failed(let error), _) where error.isAborted:
      isAborted = true
      transaction.ownFailure = .contention
    case (.failed(let error), _) where error.isForgotten: transaction.ownFailure = .contention
    case (.failed(let error), .statement(let write, let statement)) where !error.endsConnection:
      // Somebody beside the store's writers is in its way: it would hold up all of them again.
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

  /// A batch has all its answers; the last one decides.
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
    // The server gave up waiting for a standby, say: stored here, and not yet where it must be.
    if let warning = pipeline.link.takeWarning() {
      return .unsure(transaction.group, warning: warning)
    }
    return .committed(transaction.group, hasEvents: transaction.hasEvents)
  }

  /// The commit failed, or was passed over because of an error before it.
  private func spoiled(_ transaction: WriteTransaction) -> Outcome? {
    guard let next = transactions.dropFirst().first else {
      if !transaction.isExplicit { return undone(transaction) }
      undo(transaction)
      return nil
    }
    // Its entries follow ones that aren't there. One batch has none, and stands for itself.
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

  /// The groups of a lost connection; one is undecided if its commit was not yet on its way, so
  /// that surely nothing of it is stored.
  func abandon() -> [(group: [DecidedWrite], isUndecided: Bool)] {
    defer { transactions = [] }
    return transactions.map { ($0.group, !$0.isCommitting) }
  }
}
