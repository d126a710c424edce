internal import Foundation
internal import Storage

/// The writer's transaction state: its connection, the audit chain's head and the feed's last
/// position. Confined to the writer's thread.
final class WriterSession {
  let connection: SQLiteConnection
  private var kept: Kept
  /// The value of `kept` at the start of the transaction.
  private var atBegin: Kept
  /// The number of further groups in which each write gets a savepoint.
  private var guardedGroups = 0

  /// The number of groups with savepoints after a write failed midway: another is likely to follow.
  private static let guardedGroupsMax = 32

  /// The state that is restored on rollback.
  private struct Kept {
    var chain: AuditChain
    var position: Int64
    /// Whether the transaction has events to notify followers of.
    var hasEvents = false
    var writes = 0
  }

  /// Restores the state from the store.
  init(_ connection: SQLiteConnection, _ options: SQLiteOptions) throws {
    self.connection = connection
    connection.keepLog(pages: Int32(clamping: options.logBytes / 4_096))
    let meta = try connection.rows(
      "SELECT name, value FROM storage_meta WHERE name IN ('epoch', 'feed_floor')", [])
    let values = Dictionary(
      uniqueKeysWithValues: try meta.map { (try $0.text("name"), try $0.integer("value")) })
    guard let epoch = values["epoch"] else { throw StorageError.corrupt(.init("no epoch")) }
    let last = try connection.rows(
      "SELECT coalesce(max(position), 0) AS position FROM storage_outbox", [])
    let name = "sqlite.\(String(epoch, radix: 16))"
    let head = try connection.rows(
      "SELECT sequence, hash FROM storage_audit_head WHERE chain = ?1", [.text(name)])
    let chain = try head.first.map { row in
      AuditChain(name: name, sequence: try row.integer("sequence"), hash: try row.blob("hash"))
    }
    kept = Kept(
      chain: chain ?? AuditChain(name: name),
      position: max(try last[0].integer("position"), values["feed_floor"] ?? 0))
    atBegin = kept
  }

  /// The number of rows affected differs from the expected one.
  struct GuardFailed: Error {}

  /// A write failed after changing something, in a group without savepoints. The group must be run
  /// again with savepoints.
  struct Spoiled: Error {}

  /// Executes a commit atomically inside the running transaction.
  ///
  /// Writes rarely fail here, and most of them at their first statement, which SQLite undoes by
  /// itself. Therefore savepoints are used only for some time after a write needed one.
  ///
  /// - Throws: `GuardFailed`, `Spoiled`, `StorageError`.
  func apply(_ commit: Commit) throws {
    if guardedGroups > 0 { return try savepoint { try store(commit) } }
    let (before, changes) = (kept, connection.changes)
    do {
      try store(commit)
    } catch {
      guard connection.isInTransaction else { throw error }
      guard connection.changes == changes else { throw Spoiled() }
      kept = before
      throw error
    }
  }

  private func store(_ commit: Commit) throws {
    for statement in commit.statements { try run(statement) }
    let time = commit.time.microseconds
    let events = commit.events.map { event in
      kept.position += 1
      return StorageSchema.insertEvent(event, position: kept.position, microseconds: time)
    }
    if !events.isEmpty { kept.hasEvents = true }
    for statement in Statement.folded(events) { try run(statement) }
    let entries = commit.audit.map { kept.chain.append($0, at: commit.time) }
    for statement in Statement.folded(entries) { try run(statement) }
    kept.writes += 1
  }

  /// Enables savepoints for the next groups.
  func takeSavepoints() { guardedGroups = Self.guardedGroupsMax }

  /// Executes `body` atomically inside the running transaction.
  func savepoint(_ body: () throws -> Void) throws {
    let before = kept
    try connection.run("SAVEPOINT one_write")
    do {
      try body()
      try connection.run("RELEASE one_write")
    } catch {
      kept = before
      // Some errors make SQLite roll back the whole transaction.
      if connection.isInTransaction {
        try connection.run("ROLLBACK TO one_write")
        try connection.run("RELEASE one_write")
      }
      throw error
    }
  }

  private func run(_ statement: Storage.Statement) throws {
    let count = try connection.run(statement.sql, statement.arguments)
    if case .exactly(let expected) = statement.expects, expected != count { throw GuardFailed() }
  }

  func begin() throws {
    atBegin = kept
    try connection.run("BEGIN IMMEDIATE")
  }

  /// Commits the transaction durably.
  ///
  /// - Returns: The number of writes, and whether there are events.
  func commit(fault: (@Sendable () throws -> Void)?) throws -> (writes: Int, hasEvents: Bool) {
    if kept.chain != atBegin.chain {
      for statement in kept.chain.storeHead(since: atBegin.chain) { try run(statement) }
    }
    if kept.writes > 0 { try fault?() }
    try connection.run("COMMIT")
    guardedGroups = max(0, guardedGroups - 1)
    defer {
      kept.hasEvents = false
      kept.writes = 0
    }
    return (kept.writes, kept.hasEvents)
  }

  /// Rolls back the transaction unless SQLite already has.
  func rollBack() {
    connection.rollBack()
    kept = atBegin
  }
}
