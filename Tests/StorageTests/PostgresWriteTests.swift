import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite(
  "PostgreSQL engine, writes that fail", .enabled(if: Engine.allCases.contains(.postgres)),
  .timeLimit(.minutes(2)))
struct PostgresWriteTests {
  @Test("a write that exceeds a limit of the server is refused, and the others succeed")
  func limits() async throws {
    var options = PostgresOptions()
    options.silenceMax = .milliseconds(200)
    options.statementMax = .milliseconds(400)
    try await withDatabase(options) { database, link in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      try link.run("BEGIN; LOCK TABLE tag")
      let late = [
        "INSERT INTO tag (note, name) VALUES ('a', 'b')",
        "UPDATE note SET size = 1 WHERE CAST(pg_sleep(60) AS TEXT) = 'x'",
      ]
      for sql in late {
        await #expect(throws: StorageError.busy) {
          try await database.write(Commit(at: now, statements: [Statement(sql)]))
        }
        try await database.write(Commit(at: now, statements: [Notes.insert(sql)]))
      }
      try link.run("ROLLBACK")
      #expect(try await database.read(Notes.count) == 3)
    }
  }

  @Test("a store that must be there already is not made")
  func existing() async throws {
    var strict = PostgresOptions()
    strict.prepares = false
    let options = strict
    try await Engine.postgres.withStore { store in
      for _ in 0..<2 {
        await #expect(throws: StorageError.self) {
          try await PostgresDatabase.open(url: store.url, options: options).close()
        }
      }
      try await PostgresDatabase.open(url: store.url).close()
      try await PostgresDatabase.open(url: store.url, options: options).close()
    }
  }

  @Test("a write that is rolled back repeatedly waits no longer than others")
  func waits() async throws {
    var options = PostgresOptions()
    options.silenceMax = .milliseconds(50)
    options.waitMax = .milliseconds(200)
    try await withDatabase(options) { database, link in
      let lock = try PostgresSession(link).lock
      _ = try link.rows("SELECT pg_advisory_lock(?1)", [.integer(lock)])
      await #expect(throws: StorageError.busy) {
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      }
    }
  }

  /// Holds writes up until all have decided, so that they share transactions, and returns their
  /// failures by index.
  private func together(
    _ database: PostgresDatabase, _ link: PostgresLink, count: Int,
    _ decide: @escaping @Sendable (Int) throws -> Commit
  ) async throws -> [Int: any Error] {
    let lock = try PostgresSession(link).lock
    _ = try link.rows("SELECT pg_advisory_lock(?1)", [.integer(lock)])
    let decided = Counter()
    let writes = (0..<count).map { index in
      Task {
        try await database.write { () -> Step<Void> in
          decided.next()
          return .commit(try decide(index), ())
        }
      }
    }
    try await eventually { decided.value == count }
    _ = try link.rows("SELECT pg_advisory_unlock(?1)", [.integer(lock)])
    var failures: [Int: any Error] = [:]
    for (index, write) in writes.enumerated() {
      if case .failure(let error) = await write.result { failures[index] = error }
    }
    return failures
  }

  @Test("of writes that share a transaction, one that fails takes no other with it")
  func groups() async throws {
    struct Refused: Error {}
    try await withDatabase(PostgresOptions()) { database, link in
      let before = database.statistics
      let failures = try await together(database, link, count: 40) { index in
        var commit = Commit(
          at: now, statements: [Notes.insert("\(index == 8 ? 0 : index)")],
          events: [Notes.event("\(index)")], audit: [Notes.audit("\(index)")])
        if index == 7 { throw Refused() }
        if index == 9 {
          commit.run("UPDATE note SET size = 1 WHERE id = 'no'", expects: .exactly(1))
        }
        return commit
      }
      // Whichever of 0 and 8 came first is stored.
      #expect(failures.count == 3)
      #expect(failures[7] is Refused)
      #expect((failures[0] == nil) != (failures[8] == nil))
      #expect(failures[9] as? StorageError == .contention)
      #expect(database.statistics.writes - before.writes == 37)
      #expect(database.statistics.commits - before.commits < 20)
      #expect(try await database.read(Notes.count) == 37)
      #expect(try await database.verifyAudit().rows == 37)
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  @Test("writes under an outdated key take none with it that share their transaction")
  func outdatedKeys() async throws {
    let keyring = Keyring.generate(at: now)
    let sealed = try FieldCipher(keyring).seal("x", table: "note", column: "body", row: "a")
    try await withDatabase(PostgresOptions()) { database, link in
      // Another replica has taken up a newer key.
      let newer = NamedKeyring(name: "fields", ring: LiveKeyring(keyring.adding(at: now)))
      try await database.markKeys([newer])
      let failures = try await together(database, link, count: 40) { index in
        var commit = Commit(
          at: now, statements: [Notes.insert("\(index)")], audit: [Notes.audit("\(index)")])
        if index % 4 == 1 { try commit.refuseOutdated(hashKey: 1, sealed: sealed) }
        return commit
      }
      #expect(Set(failures.keys) == Set(stride(from: 1, to: 40, by: 4)))
      #expect(failures.values.allSatisfy { $0 as? StorageError == .outdatedKey })
      #expect(try await database.read(Notes.count) == 30)
      #expect(try await database.verifyAudit().rows == 30)
    }
  }

  @Test("an error that only the commit shows reaches no other write of its transaction")
  func deferredConstraint() async throws {
    try await withDatabase(PostgresOptions()) { database, link in
      try link.run(
        """
        ALTER TABLE tag DROP CONSTRAINT tag_note_fkey, ADD CONSTRAINT tag_note_fkey
          FOREIGN KEY (note) REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED
        """)
      let failures = try await together(database, link, count: 8) { index in
        var commit = Commit(at: now, statements: [Notes.insert("\(index)")])
        if index == 3 { commit.run("INSERT INTO tag (note, name) VALUES ('none', 'x')") }
        return commit
      }
      #expect(failures.count == 1)
      #expect(failures[3] as? StorageError == .constraint(.init(kind: .foreignKey)))
      #expect(try await database.read(Notes.count) == 7)
    }
  }

  @Test("a read that waits for a lock when its call ends is ended; its connection serves others")
  func lockedRead() async throws {
    var options = PostgresOptions()
    options.readers = 1
    try await withDatabase(options) { database, link in
      let session = Query<Int64>.one("SELECT pg_backend_pid() AS id") { try $0.integer("id") }
      let reader = try await database.read(session)
      try link.run("BEGIN; LOCK TABLE note")
      let read = Task { try await database.read(Notes.count) }
      try await eventually { try waiters(link, for: "relation") == 1 }
      read.cancel()
      await #expect(throws: CancellationError.self) { try await read.value }
      try await eventually { try waiters(link, for: "relation") == 0 }
      #expect(try await database.read(session) == reader)
      try link.run("ROLLBACK")
      #expect(try await database.read(Notes.count) == 0)
      #expect(try await database.read(session) == reader)
    }
  }

  @Test("a write that waits for a lock when its call ends is stored once, however often repeated")
  func lockedWrite() async throws {
    try await withDatabase(PostgresOptions()) { database, link in
      // Reads pass, writes wait.
      try link.run("BEGIN; LOCK TABLE note IN SHARE MODE")
      let first = Task { try await database.write(repeatable) }
      try await eventually { try waiters(link, for: "relation") == 1 }
      first.cancel()
      let second = Task { try await database.write(repeatable) }
      try link.run("ROLLBACK")
      #expect(try await first.value == [7])
      #expect(try await second.value == [7])
      #expect(try await database.write(repeatable) == [7])
      #expect(try await database.read(Notes.count) == 1)
    }
  }

  @Test("a write whose call ends before the server gives up its lock is not stored, then once")
  func lockedTooLong() async throws {
    var options = PostgresOptions()
    options.silenceMax = .milliseconds(300)
    try await withDatabase(options) { database, link in
      try link.run("BEGIN; LOCK TABLE note IN SHARE MODE")
      let first = Task { try await database.write(repeatable) }
      try await eventually { try waiters(link, for: "relation") == 1 }
      first.cancel()
      await #expect(throws: CancellationError.self) { try await first.value }
      try link.run("ROLLBACK")
      #expect(try await database.read(Notes.count) == 0)
      for _ in 0..<2 { #expect(try await database.write(repeatable) == [7]) }
      #expect(try await database.read(Notes.count) == 1)
    }
  }

  private static let ledger = RequestLedger(FieldCipher(Keyring.generate(at: now)))

  /// A write with a request id.
  @Sendable private func repeatable() -> Step<[UInt8]> {
    let key = RequestKey(caller: "tests", method: "write", requestID: "1")
    return Self.ledger.once(key, payload: [1], at: now) {
      .commit(Commit(at: now, statements: [Notes.insert("a")], audit: [Notes.audit("a")]), [7])
    }
  }

  @Test("an entry that was not stored leaves no gap, although later ones were")
  func chain() async throws {
    var options = PostgresOptions()
    options.writesPerCommit = 1
    try await withDatabase(options) { database, link in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let lock = try PostgresSession(link).lock
      _ = try link.rows("SELECT pg_advisory_lock(?1)", [.integer(lock)])
      let double = Task {
        let commit = Commit(
          at: now, statements: [Notes.insert("a")], audit: [Notes.audit("a")])
        try await database.write(commit)
      }
      try await eventually { try waiters(link) == 1 }
      let behind = Task {
        try await database.write(Commit(at: now, statements: [Notes.insert("b")]))
      }
      // The third waits here, so that the second is in flight.
      let last = Task {
        try await database.write(Commit(at: now, audit: [Notes.audit("c")]))
      }
      try await eventually { database.statistics.waiting == 1 }
      _ = try link.rows("SELECT pg_advisory_unlock(?1)", [.integer(lock)])
      await #expect(throws: StorageError.self) { try await double.value }
      try await behind.value
      try await last.value
      let report = try await database.verifyAudit()
      #expect(report.isIntact, "\(report.summary)")
      #expect(report.rows == 1)
    }
  }

  @Test("after a commit that may not be replicated, nothing is read over the old connections")
  func unsure() async throws {
    try await withDatabase(PostgresOptions()) { database, link in
      func trigger(_ body: String) throws {
        try link.run(
          """
          DROP TRIGGER IF EXISTS late ON note;
          CREATE OR REPLACE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN \(body); RETURN NULL; END $$;
          CREATE CONSTRAINT TRIGGER late AFTER INSERT ON note
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
          """)
      }
      let reader = Query<Int64>.one("SELECT pg_backend_pid() AS id") { try $0.integer("id") }
      func fails(_ id: String) async {
        do {
          try await database.write(Commit(at: now, statements: [Notes.insert(id)]))
          Issue.record("it was acknowledged")
        } catch {
          guard case .indeterminate? = error as? StorageError else {
            Issue.record("\(error)")
            return
          }
        }
      }
      // The server warns, as when it stopped waiting for a standby.
      try trigger("RAISE WARNING 'not everywhere'")
      let first = try await database.read(reader)
      await fails("a")
      let second = try await database.read(reader)
      #expect(second != first)
      // The connection is lost while the commit is in flight.
      try trigger("PERFORM pg_sleep(60)")
      async let failure: Void = fails("b")
      let writer = """
        FROM pg_stat_activity
        WHERE application_name = current_setting('application_name') AND wait_event = 'PgSleep'
        """
      try await eventually { try link.rows("SELECT pid \(writer)").count == 1 }
      _ = try link.rows("SELECT pg_terminate_backend(pid) \(writer)")
      await failure
      #expect(try await database.read(reader) != second)
    }
  }

  @Test("a write is decided although slow reads hold every reading connection")
  func aside() async throws {
    var options = PostgresOptions()
    options.readers = 1
    try await withDatabase(options) { database, link in
      let slow = Task {
        try await database.read(
          Query<Int>("SELECT CAST(pg_sleep(60) AS TEXT) AS nothing") { $0.count })
      }
      let own = """
        SELECT CAST(extract(epoch FROM query_start) * 1000000 AS BIGINT) AS began
        FROM pg_stat_activity
        WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()
        """
      // One that writes, one that sleeps, and the spare.
      try await eventually { try link.rows(own).count == 3 }
      let asleep = "\(own) AND wait_event = 'PgSleep'"
      let began = try link.rows(asleep).map { try $0.integer("began") }
      try await database.write {
        .read(Notes.byID("a")) { note in
          .commit(Commit(at: now, statements: note == nil ? [Notes.insert("a")] : []), ())
        }
      }
      // The slow read is still running: it neither ended nor was repeated.
      #expect(began.count == 1)
      #expect(try link.rows(asleep).map { try $0.integer("began") } == began)
      slow.cancel()
      _ = try? await slow.value
    }
  }

  @Test("a query whose table was changed is prepared again")
  func stale() async throws {
    try await withDatabase(PostgresOptions()) { database, link in
      let all = Query<[Row]>("SELECT * FROM note ORDER BY id LIMIT 5") { $0 }
      #expect(try await database.read(all).isEmpty)
      try link.run("ALTER TABLE note ADD COLUMN more bigint")
      #expect(try await database.read(all).isEmpty)
    }
  }

  private func withDatabase(
    _ options: PostgresOptions, _ body: (PostgresDatabase, PostgresLink) async throws -> Void
  ) async throws {
    try await Engine.postgres.withStore { store in
      let database = try await PostgresDatabase.open(url: store.url, options: options)
      // Without the engine's limits.
      let link = try PostgresLink(url: store.url, options: options)
      do {
        try await database.migrate(Notes.migrations)
        try await body(database, link)
      } catch {
        link.close()
        await database.close()
        throw error
      }
      link.close()
      await database.close()
    }
  }

  /// The connections that wait for a lock: the store's, or that of a table.
  private func waiters(_ link: PostgresLink, for lock: String = "advisory") throws -> Int {
    try link.rows(
      """
      SELECT pid FROM pg_stat_activity
      WHERE application_name = current_setting('application_name')
        AND wait_event_type = 'Lock' AND wait_event = ?1
      """, [.text(lock)]
    ).count
  }
}

@Suite("PostgreSQL engine, the queue of writes")
struct WriteQueueTests {
  @Test("a write that has the store to itself keeps it when its guard fails")
  func alone() throws {
    var queue = WriteQueue(PostgresOptions())
    let write = DecidedWrite(IdleWrite())
    queue.runAlone(write)
    #expect(queue.takeGroup().writes.first === write)
    let statement = Statement("UPDATE note SET size = 1", expects: .exactly(1))
    let again = queue.undone([write], refused: [0: statement], failed: [:], own: nil)
    #expect(again.isEmpty)
    #expect(queue.hasAlone)
  }

  @Test("new writes do not displace a deferred one from its turn")
  func deferred() throws {
    var queue = WriteQueue(PostgresOptions())
    let writes = [DecidedWrite(IdleWrite()), DecidedWrite(IdleWrite())]
    let statement = Statement("UPDATE note SET size = ?1", [1], expects: .exactly(1))
    for write in writes {
      write.commit.run(statement)
      queue.append(write)
    }
    let group = queue.takeGroup().writes
    #expect(group.count == 2)
    #expect(queue.undone(group, refused: [1: statement], failed: [:], own: nil).isEmpty)
    for number in 0..<100 {
      queue.reads(DecidedWrite(IdleWrite()), by: ReadJob([], arrival: .now) { _ in }, number)
    }
    #expect(queue.takeGroup().writes.count == 1)
    queue.ended()
    #expect(queue.takeDeferred() === writes[1])
  }

  private final class IdleWrite: WriteJob {
    let arrival = ContinuousClock.now
    var isCancelled: Bool { false }
    func start() -> Stage { .done }
    func go(on results: ReadResults) -> Stage { .done }
    func finish(_ failure: (any Error)?) {}
  }
}
