import Foundation
import Storage
import StorageSQLite
import Testing

@testable import StoragePostgres

/// The engines that every conformance test runs on: PostgreSQL where the tests were given a server
/// of their own (`scripts/postgres.sh`).
enum Engine: String, CaseIterable, Sendable {
  case sqlite
  case postgres

  /// The URL of a server for tests only, any database of it.
  static let server = ProcessInfo.processInfo.environment["YIJIA_TEST_POSTGRES"]

  static var allCases: [Engine] { server == nil ? [.sqlite] : [.sqlite, .postgres] }

  /// An empty store for one test, closed and removed after it.
  func withStore(_ body: (TestStore) async throws -> Void) async throws {
    let name = "yijia_\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
    let folder = FileManager.default.temporaryDirectory.appending(path: name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = TestStore(engine: self, folder: folder, name: name)
    do {
      try await body(store)
    } catch {
      try store.remove()
      throw error
    }
    try store.remove()
  }

  /// As `withStore`, opened and with the test's table.
  func withDatabase(_ body: (any Database) async throws -> Void) async throws {
    try await withStore { store in
      try await store.with { try await body($0) }
    }
  }
}

/// A store that can be opened again and again, on PostgreSQL several times at once too: a file in
/// the folder, or a schema.
struct TestStore: Sendable {
  let engine: Engine
  let folder: URL
  let name: String

  var path: String { folder.appending(path: "store.db").path }

  var url: String {
    switch engine {
    case .sqlite: "sqlite:\(path)"
    case .postgres: "\(Engine.server ?? "")?options=-csearch_path%3D\(name)"
    }
  }

  func open() async throws -> any Database {
    switch engine {
    case .sqlite: try await SQLiteDatabase.open(url: url)
    case .postgres: try await PostgresDatabase.open(url: url)
    }
  }

  /// Removes what isn't in the folder.
  func remove() throws {
    guard engine == .postgres else { return }
    let link = try PostgresLink(url: Engine.server ?? "", options: PostgresOptions())
    try link.run("SET client_min_messages = warning; DROP SCHEMA IF EXISTS \(name) CASCADE")
    link.close()
  }

  /// Opens, migrates, runs and closes.
  func with(_ body: (any Database) async throws -> Void) async throws {
    let database = try await open()
    do {
      try await database.migrate(Notes.migrations)
      try await body(database)
    } catch {
      await database.close()
      throw error
    }
    await database.close()
  }
}

/// The tests' own table.
enum Notes {
  static let migrations = [
    Migration(
      "0001 notes",
      sql: """
        CREATE TABLE note (
          id TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL, version INTEGER NOT NULL,
          size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0), data BLOB, weight REAL) STRICT;
        CREATE UNIQUE INDEX note_body ON note (body, version);
        CREATE TABLE tag (
          note TEXT NOT NULL REFERENCES note (id), name TEXT NOT NULL) STRICT;
        """)
  ]

  struct Note: Sendable, Equatable {
    var id: String
    var body: String
    var version: Int64
  }

  static func byID(_ id: String) -> Query<Note?> {
    .first("SELECT id, body, version FROM note WHERE id = ?1", [id], note)
  }

  static let count = Query<Int>.one("SELECT count(*) AS count FROM note") { try $0.int("count") }

  static func page(after id: String?, limit: Int) -> Query<[Note]> {
    .all(
      "SELECT id, body, version FROM note WHERE id > ?1 ORDER BY id LIMIT ?2", [id ?? "", limit],
      note)
  }

  @Sendable private static func note(_ row: Row) throws -> Note {
    Note(
      id: try row.text("id"), body: try row.text("body"), version: try row.integer("version"))
  }

  static func insert(_ id: String, body: String? = nil) -> Statement {
    Statement(
      "INSERT INTO note (id, body, version) VALUES (?1, ?2, 1)", [id, body ?? "body of \(id)"],
      expects: .exactly(1))
  }

  static func event(_ id: String, version: Int64 = 1, audience: String? = nil) -> OutboxEvent {
    OutboxEvent(
      entity: "notes/\(id)", version: version, kind: "note.written", payload: Array(id.utf8),
      audience: audience)
  }

  static func audit(_ id: String) -> AuditEntry {
    AuditEntry(actor: "tests/one", action: "notes.write", target: "notes/\(id)", reason: "why")
  }
}

let now = Date(microsecondsSince1970: 1_800_000_000_123_456)

/// Counts from any thread.
// Sendable: `count` is read and written with `lock` held.
final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  @discardableResult func next() -> Int {
    lock.withLock {
      count += 1
      return count
    }
  }

  var value: Int { lock.withLock { count } }
}

/// Waits until something is so; a test's time limit ends a wait that would be endless.
func eventually(_ condition: () async throws -> Bool) async throws {
  while !(try await condition()) {
    try Task.checkCancellation()
    await Task.yield()
  }
}
