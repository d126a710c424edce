internal import Foundation
internal import Storage

/// The writing connection: one transaction at a time, of a group of writes.
///
/// Isolation is `read committed`, under one advisory lock a store, held to the end of the commit:
/// transactions of all replicas follow one another, as on SQLite. So no two of them can deadlock,
/// events get their positions in the order of commits, and a guard that holds still holds at the
/// commit. What a write read before is covered by its guards (see `Step`).
final class WriteLine {
  enum Tag {
    /// A statement of the line's own.
    case own
    case statement(write: Int, Statement)
    case commit
    case end
  }

  /// How a transaction ended.
  enum Outcome {
    /// The store is this write's alone: what it reads now holds until its commit.
    case locked(DecidedWrite)
    case committed([DecidedWrite], hasEvents: Bool)
    /// Undone: writes with the guard that failed, the write that failed, or what did beside them.
    case undone(
      [DecidedWrite], refused: [Int: Statement], failed: [Int: StorageError], own: StorageError?)
  }

  private enum State {
    case idle
    case locking(answersLeft: Int)
    case locked
    case running(answersLeft: Int)
    case committing
    case undoing(syncsLeft: Int)
  }

  let pipeline: Pipeline<Tag>
  private let session: PostgresSession
  private var state = State.idle
  private var group: [DecidedWrite] = []
  private var refused: [Int: Statement] = [:]
  private var failed: [Int: StorageError] = [:]
  private var ownFailure: StorageError?
  private var hasEvents = false
  /// One chain a session: after a commit whose end is unknown, a new session begins a new one.
  private var chain: AuditChain
  private var chainAtBegin: AuditChain

  init(_ link: PostgresLink, _ session: PostgresSession) {
    pipeline = Pipeline(link)
    self.session = session
    chain = AuditChain(name: session.chainName)
    chainAtBegin = chain
  }

  var isIdle: Bool { if case .idle = state { true } else { false } }

  func isLocked(for write: DecidedWrite) -> Bool {
    if case .locked = state { group.first === write } else { false }
  }

  /// What the running transaction holds is surely not stored if the connection breaks now.
  var isUndecided: Bool { if case .committing = state { false } else { true } }

  /// Sends a group up to its commit.
  func begin(_ writes: [DecidedWrite]) {
    begin(writes, .running(answersLeft: 0))
    sendGroup()
  }

  /// Takes the store's lock for a write that is yet to be decided.
  func lock(for write: DecidedWrite) {
    begin([write], .locking(answersLeft: 0))
    pipeline.requestFlush()
  }

  /// Goes on with the write that the store is locked for, now decided.
  func store() {
    state = .running(answersLeft: 0)
    sendGroup()
  }

  /// Gives the lock back: the write has nothing to store. The outcome is `undone`, of nothing.
  func release() {
    group = []
    undo()
  }

  private func begin(_ writes: [DecidedWrite], _ first: State) {
    precondition(isIdle, "one transaction at a time")
    group = writes
    (refused, failed, ownFailure, hasEvents) = ([:], [:], nil, false)
    chainAtBegin = chain
    state = first
    send(Statement("BEGIN"), .own)
    send(Statement("SELECT pg_advisory_xact_lock(?1)", [session.lock]), .own)
  }

  private func sendGroup() {
    let writes = group
    for index in writes.indices { send(writes[index].commit, of: index) }
    if chain != chainAtBegin { send(chain.storeHead(), .own) }
    if hasEvents { send(Statement("SELECT pg_notify(?1, '')", [session.channel]), .own) }
    pipeline.requestFlush()
  }

  private func send(_ commit: Commit, of index: Int) {
    for statement in commit.statements {
      send(statement, .statement(write: index, statement))
    }
    let time = commit.time.microsecondsSince1970
    for event in commit.events {
      hasEvents = true
      let statement = PostgresSession.insert(event, microseconds: time)
      send(statement, .statement(write: index, statement))
    }
    for entry in commit.audit {
      let statement = chain.append(entry, at: commit.time)
      send(statement, .statement(write: index, statement))
    }
  }

  private func send(_ statement: Statement, _ tag: Tag) {
    do {
      try pipeline.send(statement.sql, statement.arguments, tag)
      switch state {
      case .running(let left): state = .running(answersLeft: left + 1)
      case .locking(let left): state = .locking(answersLeft: left + 1)
      default: break
      }
    } catch {
      note(error, tag)
    }
  }

  private func note(_ error: StorageError, _ tag: Tag) {
    if case .statement(let write, _) = tag {
      if failed[write] == nil { failed[write] = error }
    } else if ownFailure == nil {
      ownFailure = error
    }
  }

  /// Takes answers; the outcome comes once, with the transaction's end.
  func receive() -> Outcome? {
    var outcome: Outcome?
    pipeline.receive { answer in
      switch answer {
      case .command(let tag, let result): take(result, tag)
      case .done: outcome = outcome ?? answered()
      case .sync: outcome = outcome ?? takeSync()
      }
    }
    return outcome
  }

  private func take(_ result: PostgresResult, _ tag: Tag) {
    switch (result.status, tag) {
    case (.failed(let error), .statement(_, let statement)) where !error.endsConnection:
      note(error.storageError(sql: statement.sql), tag)
      if error.isTransient { ownFailure = .contention }
    case (.failed(let error), _):
      note(error.storageError(sql: "(transaction)"), .own)
    case (.done, .statement(let write, let statement)) where !statement.allows(result.touched):
      if refused[write] == nil { refused[write] = statement }
    case (.done, .commit) where result.command != "COMMIT":
      ownFailure = .contention
    default: break
    }
  }

  /// One more command has its answer; the last one decides.
  private func answered() -> Outcome? {
    switch state {
    case .locking(let left) where left > 1: state = .locking(answersLeft: left - 1)
    case .running(let left) where left > 1: state = .running(answersLeft: left - 1)
    case .locking where ownFailure == nil:
      state = .locked
      return .locked(group[0])
    case .running where refused.isEmpty && failed.isEmpty && ownFailure == nil:
      state = .committing
      sendEnd("COMMIT", .commit)
      pipeline.sync(.end)
    case .running, .locking: undo()
    default: break
    }
    return nil
  }

  private func undo() {
    state = .undoing(syncsLeft: 2)
    pipeline.sync(.end)
    sendEnd("ROLLBACK", .own)
    pipeline.sync(.end)
  }

  private func sendEnd(_ sql: String, _ tag: Tag) {
    do { try pipeline.send(sql, [], tag) } catch { note(error, tag) }
  }

  private func takeSync() -> Outcome? {
    switch state {
    case .undoing(let left) where left > 1:
      state = .undoing(syncsLeft: left - 1)
      return nil
    case .committing where ownFailure == nil:
      defer { reset() }
      return .committed(group, hasEvents: hasEvents)
    case .committing, .undoing:
      defer { reset() }
      chain = chainAtBegin
      return .undone(group, refused: refused, failed: failed, own: ownFailure)
    case .idle, .locking, .locked, .running: return nil
    }
  }

  private func reset() {
    state = .idle
    group = []
  }

  /// The group of a lost connection.
  func abandon() -> [DecidedWrite] {
    defer { reset() }
    return group
  }
}

extension Statement {
  fileprivate func allows(_ touched: Int) -> Bool {
    switch expects {
    case .any: true
    case .exactly(let count): touched == count
    }
  }
}
