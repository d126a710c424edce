import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite(
  "PostgreSQL engine, servers as they are set up",
  .enabled(if: Engine.allCases.contains(.postgres)), .timeLimit(.minutes(2)))
struct PostgresServerTests {
  private static let process = Query<Int64>.one("SELECT pg_backend_pid() AS id") {
    try $0.integer("id")
  }

  @Test("a server that ends idle sessions keeps the store's")
  func idle() async throws {
    try await Engine.postgres.withStore { store in
      let url = Self.with("idle_session_timeout=300", store.url)
      let database = try await PostgresDatabase.open(url: url)
      let before = try await database.read(Self.process)
      let idle = try PostgresLink(url: url, options: PostgresOptions())
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      try await eventually {
        try link.rows(
          "SELECT pid FROM pg_stat_activity WHERE pid = ?1",
          [.integer(Int64(idle.place.process))]
        ).isEmpty
      }
      #expect(try await database.read(Self.process) == before)
      for link in [idle, link] { link.close() }
      await database.close()
    }
  }

  @Test("a commit that may not be replicated is noticed although the server hides its warnings")
  func warnings() async throws {
    try await Engine.postgres.withStore { store in
      let database = try await PostgresDatabase.open(
        url: Self.with("client_min_messages=error", store.url))
      try await database.migrate(Notes.migrations)
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      try link.run(
        """
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE WARNING 'not everywhere'; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON note
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
        """)
      link.close()
      let error = await #expect(throws: StorageError.self) {
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      }
      if case .indeterminate = error {} else { Issue.record("\(error?.debugDetail ?? "no error")") }
      await database.close()
    }
  }

  @Test(
    "sessions with other defaults are as good",
    arguments: [
      "default_transaction_isolation=serializable", "statement_timeout=300", "DateStyle=German",
      "TimeZone=Asia/Shanghai", "bytea_output=escape", "standard_conforming_strings=off",
      "quote_all_identifiers=on", "client_encoding=LATIN1", "synchronous_commit=off",
    ])
  func defaults(_ setting: String) async throws {
    try await Engine.postgres.withStore { store in
      let database = try await PostgresDatabase.open(url: Self.with(setting, store.url))
      try await database.migrate(Notes.migrations)
      try await database.write(
        Commit(
          at: now, statements: [Notes.insert("甲")], events: [Notes.event("甲")],
          audit: [Notes.audit("甲")]))
      #expect(try await database.read(Notes.byID("甲"))?.body == "body of 甲")
      #expect(try await database.feed(after: .start).map(\.entity) == ["notes/甲"])
      #expect(try await database.verifyAudit().isIntact)
      await database.close()
    }
  }

  @Test(
    "commits wait for the disks, whatever a session's default is",
    arguments: ["off", "local", "remote_write"])
  func durability(_ value: String) async throws {
    try await Engine.postgres.withStore { store in
      let database = try await PostgresDatabase.open(
        url: Self.with("synchronous_commit=\(value)", store.url))
      try await database.migrate(Notes.migrations)
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let setting = Statement("UPDATE note SET body = current_setting('synchronous_commit')")
      try await database.write(Commit(at: now, statements: [setting]))
      #expect(try await database.read(Notes.byID("a"))?.body == "on")
      await database.close()
    }
  }

  @Test("a store closes although a connection attempt waits without end")
  func closes() async throws {
    try await Engine.postgres.withStore { store in
      var options = PostgresOptions()
      options.silenceMax = .seconds(600)
      options.statementMax = .seconds(600)
      let database = try await PostgresDatabase.open(url: store.url, options: options)
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      // The next connection that writes waits for this table.
      try link.run("BEGIN; LOCK TABLE storage_audit_head")
      _ = try link.rows(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()
        """)
      try await eventually {
        try !link.rows(
          """
          SELECT pid FROM pg_locks
          WHERE relation = 'storage_audit_head'::regclass AND NOT granted
          """
        ).isEmpty
      }
      await database.close()
      try link.run("ROLLBACK")
    }
  }

  @Test("a pipeline that is lost sends nothing more, so that no part of a write is committed")
  func lost() async throws {
    try await Engine.postgres.withStore { store in
      // It makes the schema.
      try await PostgresDatabase.open(url: store.url).close()
      let plain = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { plain.close() }
      try plain.run("CREATE TABLE part (id BIGINT)")
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      try link.enterPipeline()
      let pipeline = Pipeline<Int>(link)
      // The pipeline does not know of this command, and takes its answer for another's.
      #expect(link.runUnprepared("SELECT 1"))
      try pipeline.send("INSERT INTO part (id) VALUES (1)", [], 0)
      pipeline.sync(0)
      try await eventually {
        pipeline.receive { _ in }
        return pipeline.isLost
      }
      let before = try plain.rows("SELECT id FROM part").count
      try pipeline.send("INSERT INTO part (id) VALUES (2)", [], 1)
      pipeline.sync(1)
      // The server answers whatever was sent before this.
      #expect(link.sync())
      _ = link.flush()
      try await eventually {
        try plain.rows(
          "SELECT pid FROM pg_stat_activity WHERE pid = ?1 AND state = 'idle'",
          [.integer(Int64(link.place.process))]
        ).count == 1
      }
      #expect(try plain.rows("SELECT id FROM part").count == before)
    }
  }

  @Test("a schema may be named as a word of SQL, and is made", arguments: ["order", "user", "_1"])
  func words(_ name: String) async throws {
    try await use(schema: name, named: name)
  }

  @Test("a schema of any name is used if it is there", arguments: ["Weird-name", "驿 家", "a.b"])
  func names(_ name: String) async throws {
    try await Engine.postgres.withStore { store in
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      let url = Self.in("%22\(Self.escaped(name))%22", store.url)
      let error = await #expect(throws: StorageError.self) {
        try await PostgresDatabase.open(url: url)
      }
      #expect(error?.debugDetail?.contains("CREATE SCHEMA") == true)
      try link.run("CREATE SCHEMA \"\(name)\"")
    }
    try await use(schema: name, named: "%22\(Self.escaped(name))%22")
  }

  private func use(schema: String, named text: String) async throws {
    try await Engine.postgres.withStore { store in
      let database = try await PostgresDatabase.open(url: Self.in(text, store.url))
      try await database.migrate(Notes.migrations)
      try await database.write(
        Commit(
          at: now, statements: [Notes.insert("a")], events: [Notes.event("a")],
          audit: [Notes.audit("a")]))
      #expect(try await database.feed(after: .start).map(\.entity) == ["notes/a"])
      #expect(try await database.verifyAudit().isIntact)
      await database.close()
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      try link.run("DROP SCHEMA \"\(schema)\" CASCADE")
      link.close()
    }
  }

  @Test(
    "a database of another order or encoding is refused with what it is",
    arguments: [
      ("ENCODING 'LATIN1' LC_COLLATE 'C'", "LATIN1"),
      ("ENCODING 'SQL_ASCII' LC_COLLATE 'C'", "SQL_ASCII"),
      (
        "ENCODING 'UTF8' LC_COLLATE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
        "LOCALE_PROVIDER libc"
      ),
    ])
  func databases(_ form: String, _ told: String) async throws {
    try await Engine.postgres.withStore { store in
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      let name = "other_\(UInt32.random(in: 0 ... .max))"
      try link.run("CREATE DATABASE \(name) TEMPLATE template0 LC_CTYPE 'C' \(form)")
      let url = store.url.replacing("/postgres?", with: "/\(name)?")
      let error = await #expect(throws: StorageError.self) {
        try await PostgresDatabase.open(url: url)
      }
      #expect(error?.debugDetail?.contains(told) == true, "\(error?.debugDetail ?? "")")
      try link.run("DROP DATABASE \(name)")
    }
  }

  @Test("a user without rights is told what it lacks, at a start and later")
  func rights() async throws {
    try await Engine.postgres.withStore { store in
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      let role = "nobody_\(UInt32.random(in: 0 ... .max))"
      try link.run("CREATE ROLE \(role) LOGIN")
      let url = store.url.replacing("//yijia@", with: "//\(role)@")
      let early = await #expect(throws: StorageError.self) {
        try await PostgresDatabase.open(url: url)
      }
      guard case .forbidden(let detail) = early else {
        Issue.record("\(early?.debugDetail ?? "no error")")
        return
      }
      #expect(detail.text.contains("permission denied"))
      #expect(early?.remedy != nil)
      try link.run("GRANT CREATE ON DATABASE postgres TO \(role)")
      let database = try await PostgresDatabase.open(url: url)
      try await database.migrate(Notes.migrations)
      try link.run("REVOKE INSERT ON note FROM \(role)")
      let late = await #expect(throws: StorageError.self) {
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      }
      if case .forbidden = late {} else { Issue.record("\(late?.debugDetail ?? "no error")") }
      #expect(try await database.read(Notes.count) == 0)
      await database.close()
      try link.run("DROP OWNED BY \(role) CASCADE; DROP ROLE \(role)")
    }
  }

  /// The store's URL with another default of its sessions, as the server or the user may have it.
  private static func with(_ setting: String, _ url: String) -> String {
    url.replacing("options=", with: "options=-c\(escaped(setting))%20")
  }

  /// The store's URL with another search path.
  private static func `in`(_ path: String, _ url: String) -> String {
    url.replacing(/search_path%3D[^&]*/, with: "search_path%3D\(path)")
  }

  private static func escaped(_ text: String) -> String {
    // A blank within an option of the server is escaped once more.
    text.replacing(" ", with: "\\ ")
      .addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
  }
}
