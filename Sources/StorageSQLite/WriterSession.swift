internal import Foundation
internal import Storage

/// The writer's side of a transaction: its connection, and what it keeps beside it — the audit
/// chain's head and the feed's last position. Confined to the writer's thread.
final class WriterSession {
  let connection: SQLiteConnection
  private var kept: Kept
  /// What `kept` was when the transaction began.
  private var atBegin: Kept
  /// Groups that still get a savepoint a write.
  private var guardedGroups = 0

  /// So many after one that failed halfway: its like may come again soon.
  private static let guardedGroupsMax = 32

  private struct Kept {
    var chain: AuditChain
    var position: Int64
    /// Whether the transaction holds anything to tell the feed's followers.
    var hasEvents = false
    var writes = 0
  }

  /// Continues where the store ended.
  init(_ connection: SQLiteConnection) throws {
    self.connection = connection
    connection.keepLog()
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

  /// A guard found another count of rows than the decision was based on.
  struct GuardFailed: Error {}

  /// A write failed after it had changed something, in a group without savepoints: the group is to
  /// be run again with them.
  struct Spoiled: Error {}

  /// Stores a commit inside the running transaction, all or nothing.
  ///
  /// Few writes fail here, and most that do fail at their first statement, which SQLite undoes by
  /// itself. So there are savepoints only for a while after a write needed one.
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
    let time = commit.time.microsecondsSince1970
    for event in commit.events {
      kept.position += 1
      kept.hasEvents = true
      try run(StorageSchema.insertEvent(event, position: kept.position, microseconds: time))
    }
    for entry in commit.audit { try run(kept.chain.append(entry, at: commit.time)) }
    kept.writes += 1
  }

  /// From now on, for a while, each write gets a savepoint.
  func takeSavepoints() { guardedGroups = Self.guardedGroupsMax }

  /// Runs `body` all or nothing inside the running transaction.
  func savepoint(_ body: () throws -> Void) throws {
    let before = kept
    try connection.run("SAVEPOINT one_write")
    do {
      try body()
      try connection.run("RELEASE one_write")
    } catch {
      kept = before
      // After some errors SQLite has rolled back the whole transaction already.
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

  /// Makes the transaction durable.
  ///
  /// - Returns: how many writes it held, and whether it holds events.
  func commit(fault: (@Sendable () throws -> Void)?) throws -> (writes: Int, hasEvents: Bool) {
    if kept.chain != atBegin.chain { try run(kept.chain.storeHead()) }
    if kept.writes > 0 { try fault?() }
    try connection.run("COMMIT")
    guardedGroups = max(0, guardedGroups - 1)
    defer {
      kept.hasEvents = false
      kept.writes = 0
    }
    return (kept.writes, kept.hasEvents)
  }

  /// Undoes the transaction, as far as SQLite hasn't.
  func rollBack() {
    connection.rollBack()
    kept = atBegin
  }
}
