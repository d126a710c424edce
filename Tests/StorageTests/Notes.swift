import Foundation
import Storage
import TestStores
import Testing

extension Engine {
  /// Like `withStore`, with the store opened and the test's table created.
  func withDatabase(_ body: (any Database) async throws -> Void) async throws {
    try await withStore { store in
      try await store.withNotes { try await body($0) }
    }
  }
}

extension TestStore {
  /// Like `with`, with the test's table created.
  func withNotes(_ body: (any Database) async throws -> Void) async throws {
    try await with { database in
      try await database.migrate(Notes.migrations)
      try await body(database)
    }
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

let now = Date(microseconds: 1_800_000_000_123_456)

/// A counter for any thread.
// Guard: `count` is accessed with `lock` held only.
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

/// Repeats the call while the server is unreachable.
func insist(_ call: () async throws -> Void) async throws {
  while true {
    do {
      return try await call()
    } catch let error as StorageError {
      switch error {
      case .indeterminate, .unreachable, .busy: continue
      default: throw error
      }
    }
  }
}
