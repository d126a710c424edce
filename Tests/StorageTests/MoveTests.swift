import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite("Moves to PostgreSQL", .timeLimit(.minutes(2)))
struct MoveTests {
  private static let migrations = [
    Migration(
      "0001 a tree and a cycle of tables",
      sql: """
        CREATE TABLE place (id TEXT NOT NULL PRIMARY KEY, parent TEXT REFERENCES place (id)) STRICT;
        CREATE TABLE egg (id TEXT NOT NULL PRIMARY KEY, hen TEXT REFERENCES hen (id)) STRICT;
        CREATE TABLE hen (id TEXT NOT NULL PRIMARY KEY, egg TEXT REFERENCES egg (id)) STRICT;
        CREATE TABLE chick (hen TEXT NOT NULL PRIMARY KEY REFERENCES hen (id)) STRICT;
        """,
      postgres: """
        CREATE TABLE place (id TEXT NOT NULL PRIMARY KEY, parent TEXT REFERENCES place (id));
        CREATE TABLE egg (id TEXT NOT NULL PRIMARY KEY, hen TEXT);
        CREATE TABLE hen (id TEXT NOT NULL PRIMARY KEY, egg TEXT REFERENCES egg (id));
        ALTER TABLE egg ADD CONSTRAINT egg_hen FOREIGN KEY (hen) REFERENCES hen (id);
        CREATE TABLE chick (hen TEXT NOT NULL PRIMARY KEY REFERENCES hen (id));
        """)
  ]

  @Test("rows that refer to later ones and tables that refer to each other move, still checked")
  func references() async throws {
    guard Engine.allCases.contains(.postgres) else { return }
    try await Engine.sqlite.withStore { from in
      try await Engine.postgres.withStore { to in
        try await from.with { source in
          try await source.migrate(Self.migrations)
          var commit = Commit(at: now)
          for index in 0..<1_200 {
            commit.run("INSERT INTO place (id, parent) VALUES (?1, NULL)", ["p\(index)"])
          }
          // The first page of rows refers to the last one.
          commit.run("UPDATE place SET parent = 'p1199' WHERE id <> 'p1199'")
          commit.run("INSERT INTO egg (id, hen) VALUES ('e', NULL)")
          commit.run("INSERT INTO hen (id, egg) VALUES ('h', 'e')")
          commit.run("UPDATE egg SET hen = 'h'")
          commit.run("INSERT INTO chick (hen) VALUES ('h')")
          try await source.write(commit)
          try await to.with { target in
            try await target.migrate(Self.migrations)
            let moved = try await StoreMove(from: source, to: target).run { _, _, _ in }
            let rows = Dictionary(uniqueKeysWithValues: moved.map { ($0.table, $0.rows) })
            #expect(rows["place"] == 1_200)
            #expect(["egg", "hen", "chick"].allSatisfy { rows[$0] == 1 })
            for (table, column) in [("place", "parent"), ("egg", "hen"), ("hen", "egg")] {
              let stray = Commit(
                at: now,
                statements: [
                  Statement("INSERT INTO \(table) (id, \(column)) VALUES ('new', 'none')")
                ])
              await #expect(throws: StorageError.self, "\(table)") { try await target.write(stray) }
            }
          }
        }
      }
    }
  }

  @Test("adding the foreign keys may take longer than a statement of the store")
  func patience() async throws {
    guard Engine.allCases.contains(.postgres) else { return }
    var options = PostgresOptions()
    options.statementMax = .seconds(2)
    options.silenceMax = .seconds(2)
    try await Engine.sqlite.withStore { from in
      try await Engine.postgres.withStore { [options] to in
        try await from.with { source in
          try await source.migrate(Self.migrations)
          let row = Statement("INSERT INTO place (id, parent) VALUES ('p', NULL)")
          try await source.write(Commit(at: now, statements: [row]))
          let target = try await PostgresDatabase.open(url: to.url, options: options)
          try await target.migrate(Self.migrations)
          let holder = try PostgresLink(url: to.url, options: options)
          let watcher = try PostgresLink(url: to.url, options: options)
          defer {
            holder.close()
            watcher.close()
          }
          let move = Task {
            try await StoreMove(from: source, to: target).run { table, _, _ in
              // Rows can still be inserted, and no constraint can be added.
              guard table == "place" else { return }
              try holder.run("BEGIN; LOCK TABLE place IN SHARE UPDATE EXCLUSIVE MODE")
            }
          }
          try await eventually {
            try watcher.rows(
              """
              SELECT pid FROM pg_stat_activity
              WHERE application_name = current_setting('application_name')
                AND wait_event = 'relation'
                AND clock_timestamp() - query_start > interval '3 seconds'
              """
            ).count == 1
          }
          try holder.run("ROLLBACK")
          #expect(try await move.value.first { $0.table == "place" }?.rows == 1)
          await target.close()
        }
      }
    }
  }

  @Test(
    "a move goes on although the reply to one of its commits of tables is lost",
    arguments: ["'moving', 1", "ADD CONSTRAINT", "DELETE FROM storage_meta"])
  func lostReply(_ text: String) async throws {
    guard Engine.allCases.contains(.postgres) else { return }
    try await Engine.sqlite.withStore { from in
      try await Engine.postgres.withStore { to in
        try await from.with { source in
          try await source.migrate(Self.migrations)
          let row = Statement("INSERT INTO place (id, parent) VALUES ('p', NULL)")
          try await source.write(Commit(at: now, statements: [row]))
          let server = try #require(URL(string: to.url))
          let gate = try Gate(to: UInt16(server.port ?? 5432), losingCommitOf: text)
          defer { gate.close() }
          var options = PostgresOptions()
          options.openMax = .seconds(30)
          // Without TLS, so that the gate can read what it passes on.
          let target = try await PostgresDatabase.open(
            url: to.url.replacing("@", with: "@127.0.0.1:\(gate.port),") + "&sslmode=disable",
            options: options)
          try await target.migrate(Self.migrations)
          let moved = try await StoreMove(from: source, to: target).run { _, _, _ in }
          #expect(moved.first { $0.table == "place" }?.rows == 1)
          #expect(gate.hasLost)
          let stray = Statement("INSERT INTO place (id, parent) VALUES ('q', 'none')")
          await #expect(throws: StorageError.self) {
            try await target.write(Commit(at: now, statements: [stray]))
          }
          // Refused if the move had not finished.
          try await target.migrate(Self.migrations)
          await target.close()
        }
      }
    }
  }

  @Test("a target that lacks foreign keys since an earlier move is refused, without rows too")
  func interruptedEarly() async throws {
    guard Engine.allCases.contains(.postgres) else { return }
    try await Engine.sqlite.withStore { from in
      try await Engine.postgres.withStore { to in
        try await from.with { source in
          try await source.migrate(Self.migrations)
          try await to.with { target in
            try await target.migrate(Self.migrations)
            // Nothing but the store's own settings has rows.
            await #expect(throws: CancellationError.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in
                throw CancellationError()
              }
            }
            let refusal = await #expect(throws: StoreMove.Refusal.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in }
            }
            #expect(refusal?.description.contains("did not finish") == true)
          }
        }
      }
    }
  }
}
