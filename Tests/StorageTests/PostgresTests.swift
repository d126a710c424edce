import Foundation
import Storage
import Synchronization
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite("PostgreSQL engine", .enabled(if: Engine.allCases.contains(.postgres)))
struct PostgresTests {
  @Test("writers of two replicas lose no update, and their events are in order of version")
  func replicas() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { first in
        try await store.with { second in
          try await first.write(Commit(at: now, statements: [Notes.insert("a")]))
          try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<40 {
              let database = index.isMultiple(of: 2) ? first : second
              group.addTask { for _ in 0..<3 { try await raise(database) } }
            }
            try await group.waitForAll()
          }
          #expect(try await second.read(Notes.byID("a"))?.version == 121)
          let events = try await first.feed(after: .start)
          #expect(events.map(\.version) == Array(2...121))
          #expect(events.map(\.cursor.position) == Array(1...120))
          let report = try await second.verifyAudit()
          #expect(report.isIntact)
          #expect(report.rows == 120)
        }
      }
    }
  }

  @Test("a replica's follower is woken by another replica's commit")
  func wakes() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { first in
        try await store.with { second in
          let follower = Task {
            for try await event in second.follow(after: .start) { return event.entity }
            return "none"
          }
          try await first.write(Commit(at: now, events: [Notes.event("a")]))
          #expect(try await follower.value == "notes/a")
        }
      }
    }
  }

  @Test("connections cut under load lose nothing acknowledged and duplicate nothing")
  func cut() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { database in
        let ledger = RequestLedger(FieldCipher(Keyring.generate(at: now)))
        let isOver = Counter()
        let cuts = Counter()
        let stored = Counter()
        let cutter = Task {
          while isOver.value == 0 {
            if try cutAll(of: store) > 0 { cuts.next() }
            // Some writes succeed in between.
            let before = stored.value
            try await eventually { stored.value > before || isOver.value > 0 }
          }
        }
        let acknowledged = try await withThrowingTaskGroup(of: [String].self) { group in
          for writer in 0..<16 {
            group.addTask {
              var done: [String] = []
              // However late the cutter runs, some writes are in flight.
              while done.count < 25 || cuts.value < 3 {
                let id = "\(writer).\(done.count)"
                try await insist { _ = try await database.write { written(id, ledger) } }
                done.append(id)
                stored.next()
              }
              return done
            }
          }
          return try await group.reduce(into: [String]()) { $0 += $1 }
        }
        isOver.next()
        try await cutter.value
        try await eventually {
          (try? await database.read(Notes.count)) == acknowledged.count
        }
        var events = try await database.feed(after: .start)
        while let last = events.last, events.count < acknowledged.count {
          let more = try await database.feed(after: last.cursor)
          if more.isEmpty { break }
          events += more
        }
        #expect(Set(events.map(\.entity)) == Set(acknowledged.map { "notes/\($0)" }))
        #expect(events.count == acknowledged.count)
        let report = try await database.verifyAudit()
        #expect(report.isIntact)
        #expect(report.rows == acknowledged.count)
      }
    }
  }

  @Test("a cancelled read is ended on the server, and those behind it are answered")
  func cancels() async throws {
    try await Engine.postgres.withStore { store in
      // A separate connection: a query behind the sleeping read would wait for its end.
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      try await store.withNotes { database in
        let slow = Task {
          try await database.read(
            Query<Int>("SELECT CAST(pg_sleep(60) AS TEXT) AS nothing") { $0.count })
        }
        try await eventually { try sleepers(link) == 1 }
        let behind = Task { try await database.read(Notes.count) }
        slow.cancel()
        await #expect(throws: CancellationError.self) { try await slow.value }
        #expect(try await behind.value == 0)
        try await eventually { try sleepers(link) == 0 }
      }
    }
  }

  @Test("without a server at the address opening fails, without details in the description")
  func unreachable() async throws {
    await #expect(throws: StorageError.self) {
      try await PostgresDatabase.open(url: "postgres://nobody@127.0.0.1:1/none")
    }
    for url in ["sqlite:x", "postgres:x", ""] {
      await #expect(throws: StorageError.address(.init("not postgres://…"))) {
        try await PostgresDatabase.open(url: url)
      }
    }
  }

  @Test("a URL that libpq cannot read is refused without waiting and without its password")
  func unreadable() async throws {
    var options = PostgresOptions()
    options.openMax = .seconds(300)
    options.waits = { Issue.record("waits: \($0.debugDetail ?? "")") }
    for end in ["host/base?colour=red", "[::1/base", "host:port?%zz"] {
      let error = await #expect(throws: StorageError.self) {
        try await PostgresDatabase.open(url: "postgres://me:secret@\(end)", options: options)
      }
      guard case .address(let detail)? = error else {
        Issue.record("\(end): \(error?.debugDetail ?? "no error")")
        continue
      }
      #expect(!detail.text.isEmpty && !detail.text.contains("secret"))
    }
  }

  @Test("a server's own programs get the address without its password")
  func connection() throws {
    let url = "postgres://me:p%27w%5C%20d@h1:5432,h2:5433/base?options=-csearch_path%3Dx%27y"
    let connection = try PostgresConnection(url)
    #expect(connection.password == "p'w\\ d")
    #expect(
      connection.text
        == #"user='me' dbname='base' host='h1,h2' port='5432,5433' options='-csearch_path=x\'y'"#)
    let bare = try PostgresConnection(connection.text)
    #expect(bare.text == connection.text && bare.password == nil)
  }

  @Test("opening tells once why it waits")
  func waits() async throws {
    let reasons = Mutex<[String]>([])
    var options = PostgresOptions()
    options.openMax = .seconds(300)
    options.waits = { error in reasons.withLock { $0.append(error.debugDetail ?? "") } }
    let unchanged = options
    let opening = Task {
      try await PostgresDatabase.open(
        url: "postgres://nobody@127.0.0.1:1/none", options: unchanged)
    }
    try await eventually { reasons.withLock { !$0.isEmpty } }
    // Time itself is meant: it tries again every quarter of a second, which nothing tells.
    try await Task.sleep(for: .milliseconds(600))
    opening.cancel()
    await #expect(throws: CancellationError.self) { try await opening.value }
    #expect(reasons.withLock { $0.count } == 1)
    #expect(reasons.withLock { $0.first?.contains("127.0.0.1") } == true)
  }

  private func sleepers(_ link: PostgresLink) throws -> Int {
    try link.rows(
      """
      SELECT pid FROM pg_stat_activity
      WHERE application_name = current_setting('application_name')
        AND state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()
      """
    ).count
  }

  private func raise(_ database: any Database) async throws {
    try await database.write {
      Step<Void>.read(Notes.byID("a")) { note in
        let version = (note?.version ?? 0) + 1
        var commit = Commit(
          at: now, events: [Notes.event("a", version: version)], audit: [Notes.audit("a")])
        commit.run(
          "UPDATE note SET version = ?1 WHERE id = 'a' AND version = ?2", [version, version - 1],
          expects: .exactly(1))
        return .commit(commit, ())
      }
    }
  }

  private func written(_ id: String, _ ledger: RequestLedger) -> Step<[UInt8]> {
    ledger.once(
      RequestKey(caller: "tests", method: "write", requestID: id), payload: Array(id.utf8), at: now
    ) {
      .commit(
        Commit(
          at: now, statements: [Notes.insert(id)], events: [Notes.event(id)],
          audit: [Notes.audit(id)]), Array(id.utf8))
    }
  }

  /// Cuts every connection of a store except this one.
  private func cutAll(of store: TestStore) throws -> Int {
    let link = try PostgresLink(url: store.url, options: PostgresOptions())
    defer { link.close() }
    let rows = try link.rows(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()
      """)
    return rows.count
  }
}

@Suite("PostgreSQL's SQL")
struct PostgresTextTests {
  @Test("parameters are rewritten in code only")
  func parameters() throws {
    let cases = [
      ("SELECT ?1, ?2 FROM a WHERE b = ?1", "SELECT $1, $2 FROM a WHERE b = $1", 2),
      ("SELECT '?1' || \"?2\" || ?1", "SELECT '?1' || \"?2\" || $1", 1),
      ("SELECT 'it''s ?2', ?1", "SELECT 'it''s ?2', $1", 1),
      ("SELECT ?1 -- ?2\n, ?3", "SELECT $1 -- ?2\n, $3", 3),
      ("SELECT /* ?2 /* ?3 */ ?4 */ ?1", "SELECT /* ?2 /* ?3 */ ?4 */ $1", 1),
      ("SELECT $$ ?2 $$, $a$ ?3 $$ $a$, ?1", "SELECT $$ ?2 $$, $a$ ?3 $$ $a$, $1", 1),
      ("SELECT ?12, x_?1", "SELECT $12, x_$1", 12),
      ("SELECT 驿家 FROM 表 WHERE 名 = ?1", "SELECT 驿家 FROM 表 WHERE 名 = $1", 1),
      ("SELECT 'open ?1", "SELECT 'open ?1", 0),
    ]
    for (sql, text, count) in cases {
      let rewritten = try PostgresText.statement(sql)
      #expect(rewritten.text == text)
      #expect(rewritten.parameters == count)
    }
    for sql in ["SELECT ?", "SELECT ?0", "SELECT $1", "SELECT a ? b"] {
      #expect(throws: StorageError.self) { try PostgresText.statement(sql) }
    }
  }

  @Test("a query without a limit gets one, whatever its ending")
  func limits() throws {
    let bound = Limits.rowsPerQuery + 1
    #expect(try PostgresText.query("SELECT a FROM b LIMIT 5").text == "SELECT a FROM b LIMIT 5")
    #expect(
      try PostgresText.query("SELECT a FROM b; ").text
        == "SELECT * FROM (SELECT a FROM b\n) AS bounded LIMIT \(bound)")
    #expect(
      try PostgresText.query("SELECT 'LIMIT' -- end").text
        == "SELECT * FROM (SELECT 'LIMIT' -- end\n) AS bounded LIMIT \(bound)")
  }

  @Test("a schema gets PostgreSQL's types and loses SQLite's options")
  func schema() {
    #expect(
      PostgresText.schema(
        """
        CREATE TABLE a (b INTEGER PRIMARY KEY, "REAL" REAL, c BLOB DEFAULT 'BLOB', STRICTNESS TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE d (e TEXT) WITHOUT ROWID;
        """)
          == """
          CREATE TABLE a (b bigint PRIMARY KEY, "REAL" double precision, c bytea DEFAULT 'BLOB', \
          STRICTNESS text
          );
          CREATE TABLE d (e text);
          """)
  }

  @Test("the arguments that identify a row are those of the conflict's columns")
  func conflicts() {
    let insert = "INSERT INTO a (b, c, d) VALUES (?1, ?2, ?3) ON CONFLICT"
    #expect(ContendedRows.conflictPlaces(of: "\(insert) (c) DO NOTHING") == [1])
    #expect(ContendedRows.conflictPlaces(of: "\(insert) (d, b) DO UPDATE SET c = 1") == [2, 0])
    #expect(ContendedRows.conflictPlaces(of: "\(insert) DO NOTHING") == nil)
    #expect(ContendedRows.conflictPlaces(of: "UPDATE a SET b = ?2 WHERE c = ?1") == nil)
  }

  @Test("sums are integers for integers and reals otherwise")
  func numerics() throws {
    func value(_ words: [Int16]) throws -> SQLValue {
      try words.map(\.bigEndian).withUnsafeBytes { try SQLValue($0, ofType: PostgresType.numeric) }
    }
    #expect(try value([0, 0, 0, 0]) == .integer(0))
    #expect(try value([2, 1, 0, 0, 12, 3456]) == .integer(123_456))
    #expect(try value([1, 1, 0x4000, 0, 12]) == .integer(-120_000))
    #expect(try value([2, 0, 0, 2, 1, 2500]) == .real(1.25))
    #expect(
      try value([5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5808]) == .integer(.min))
    #expect(throws: StorageError.self) { try value([1, 0, 0, 0]) }
    #expect(throws: StorageError.self) { try value([0, 0, -16_384, 0]) }
  }
}
