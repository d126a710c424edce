import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite("PostgreSQL, several hosts", .enabled(if: Engine.allCases.contains(.postgres)))
struct PostgresFailoverTests {
  @Test("when writes move to another host, reads follow, and the old host is not used any more")
  func readsFollow() async throws {
    try await withGate { database, gate, store in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let before = try await database.read(Self.process)
      gate.close()
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      _ = try link.rows(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = current_setting('application_name')
          AND pid NOT IN (?1, pg_backend_pid())
        """, [.integer(before)])
      try await insist {
        try await database.write(Commit(at: now, statements: [Notes.insert("b")]))
      }
      #expect(try await database.read(Self.process) != before)
    }
  }

  @Test("a reading connection that reaches another host late aborts no commit")
  func lateReader() async throws {
    try await withGate { database, gate, store in
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      // Commits wait for this connection.
      try link.run(
        """
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON note
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
        SELECT pg_advisory_lock(42);
        """)
      let reader = try await database.read(Self.process)
      gate.close()
      let write = Task {
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      }
      try await eventually {
        try link.rows(
          """
          SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted
          """
        ).count == 1
      }
      _ = try link.rows("SELECT pg_terminate_backend(CAST(?1 AS INTEGER))", [.integer(reader)])
      // The connection reaches the server itself now, and is refused.
      _ = try? await database.read(Self.process)
      try link.run("SELECT pg_advisory_unlock(42)")
      try await write.value
    }
  }

  @Test("a connection over which the server refuses to write is given up for another")
  func readOnly() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { database in
        let link = try PostgresLink(url: store.url, options: PostgresOptions())
        defer { link.close() }
        // From its next transaction on, the session that writes is read only.
        try link.run(
          """
          CREATE FUNCTION demote() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM set_config('default_transaction_read_only', 'on', false); RETURN NULL;
          END $$;
          CREATE TRIGGER demote AFTER INSERT ON note FOR EACH ROW EXECUTE FUNCTION demote();
          """)
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
        try link.run("DROP TRIGGER demote ON note")
        try await database.write(Commit(at: now, statements: [Notes.insert("b")]))
        #expect(try await database.read(Notes.count) == 2)
      }
    }
  }

  /// Runs with a store that is reached by two hosts: the gate is the first, and is used while it is
  /// open.
  private func withGate(
    _ body: (PostgresDatabase, Gate, TestStore) async throws -> Void
  ) async throws {
    try await Engine.postgres.withStore { store in
      let server = try #require(URL(string: store.url))
      let gate = try Gate(to: UInt16(server.port ?? 5432))
      defer { gate.close() }
      let database = try await PostgresDatabase.open(
        url: store.url.replacing("@", with: "@127.0.0.1:\(gate.port),"))
      try await database.migrate(Notes.migrations)
      try await body(database, gate, store)
      await database.close()
    }
  }

  /// The process id of the server's backend that reads.
  private static let process = Query<Int64>.one("SELECT pg_backend_pid() AS id") {
    try $0.integer("id")
  }
}
