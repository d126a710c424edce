import Foundation
import Storage
import StorageSQLite
import TestStores
import Testing

@Suite("Long work on a store", .timeLimit(.minutes(2)))
struct UpkeepTests {
  @Test("any tampering with the audit log is found", arguments: Engine.allCases)
  func tampering(_ engine: Engine) async throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<4 {
      try await engine.withDatabase { database in
        for index in 0..<30 {
          try await database.write(Commit(at: now, audit: [Notes.audit("\(index)")]))
        }
        let seed = random.next()
        let row = Int64(1 + seed % 30)
        let other = 1 + (row + Int64(seed / 64 % 28)) % 30
        let changes: [[Statement]] = [
          [Statement("UPDATE storage_audit SET target = 'x' WHERE sequence = ?1", [row])],
          [Statement("UPDATE storage_audit SET time = time - 1 WHERE sequence = ?1", [row])],
          [Statement("DELETE FROM storage_audit WHERE sequence = ?1", [row])],
          [Statement("DELETE FROM storage_audit WHERE sequence >= ?1", [row])],
          [
            Statement("UPDATE storage_audit SET sequence = -1 WHERE sequence = ?1", [row]),
            Statement("UPDATE storage_audit SET sequence = ?1 WHERE sequence = ?2", [row, other]),
            Statement("UPDATE storage_audit SET sequence = ?1 WHERE sequence = -1", [other]),
          ],
          [
            Statement(
              """
              INSERT INTO storage_audit
              (chain, sequence, time, actor, action, target, reason, detail, hash)
              SELECT chain, 31, time, actor, action, target, reason, detail, hash
              FROM storage_audit WHERE sequence = ?1
              """, [row])
          ],
        ]
        let change = changes[Int(seed / 4_096 % UInt64(changes.count))]
        if change.count == 3 && row == other { return }
        try await database.write(Commit(at: now, statements: change))
        let problem = try #require(try await database.verifyAudit().problem)
        let expected = change.count == 3 ? min(row, other) : row
        let isInsertion = change[0].sql.hasPrefix("INSERT")
        #expect(problem.sequence == (isInsertion ? 31 : expected), "\(change[0].sql)")
      }
    }
  }

  @Test("verification reports its progress", arguments: Engine.allCases)
  func progress(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      for _ in 0..<3 {
        let entries = (0..<500).map { Notes.audit("\($0)") }
        try await database.write(Commit(at: now, audit: entries))
      }
      var told: [Int] = []
      _ = try await database.verifyAudit { done, total in
        told.append(done)
        #expect(total == 1_500)
      }
      #expect(told.first == 1_000)
      #expect(told.last == 1_500)
    }
  }

  @Test("a purged feed still rebuilds the consumers' state", arguments: Engine.allCases)
  func compaction(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let events = [
        Notes.event("a"), Notes.event("b"), Notes.event("a", version: 2), Notes.event("gone"),
      ]
      try await database.write(Commit(at: now, events: events))
      let old = try #require(try await database.feed(after: .start).first).cursor
      try await database.write(Commit(at: now + 100, events: [Notes.event("b", version: 2)]))
      let versions: @Sendable ([String]) -> Query<[String: Int64]> = { entities in
        #expect(entities == ["notes/a", "notes/b", "notes/a", "notes/gone"])
        return .constant(["notes/a": 2, "notes/b": 2])
      }
      #expect(try await database.purgeFeed(before: now + 50, keepingLast: versions) == 3)
      #expect(try await database.purgeFeed(before: now + 50, keepingLast: versions) == 0)
      await #expect(throws: StorageError.expiredCursor) { try await database.feed(after: old) }
      let left = try await database.feed(after: .start)
      #expect(left.map(\.entity) == ["notes/a", "notes/b"])
      #expect(left.map(\.version) == [2, 2])
      try await database.write(Commit(at: now + 200, events: [Notes.event("c")]))
      #expect(try await database.feed(after: left[1].cursor).map(\.entity) == ["notes/c"])
    }
  }

  @Test(
    "monthly partitions are created in advance, filled, and dropped", arguments: Engine.allCases)
  func months(_ engine: Engine) async throws {
    let table = """
      CREATE TABLE visit (id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (id, at))
      """
    let migration = Migration(
      "0001 visits", sql: "\(table) STRICT;",
      postgres: "\(table) PARTITION BY RANGE (at);"
        + "CREATE TABLE visit_default PARTITION OF visit DEFAULT;")
    try await engine.withStore { store in
      try await store.with { database in
        try await database.migrate([migration])
        func visit(_ id: String, _ time: Date) async throws {
          let insert = Statement("INSERT INTO visit (id, at) VALUES (?1, ?2)", [id, time])
          try await database.write(Commit(at: time, statements: [insert]))
        }
        let month = 31.0 * 86_400
        var months = MonthlyTable("visit", by: "at", monthsKept: 2)
        // Stored before its month's partition was created: it moves there.
        try await visit("early", now)
        for ahead in 0..<6 {
          let time = now + Double(ahead) * month
          _ = try await database.keepMonths(of: months, at: time)
          try await visit("v\(ahead)", time)
        }
        let ids = Query<[String]>.all("SELECT id FROM visit ORDER BY id") { try $0.text("id") }
        #expect(try await database.read(ids) == ["v3", "v4", "v5"])
        months.monthsKept = nil
        #expect(try await database.keepMonths(of: months, at: now + 20 * month) == 0)
        #expect(try await database.read(ids) == ["v3", "v4", "v5"])
        guard engine == .postgres else { return }
        let strays = Query<Int>.one("SELECT count(*) AS n FROM visit_default") { try $0.int("n") }
        #expect(try await database.read(strays) == 0)
        _ = try await database.keepMonths(of: StorageSchema.auditMonths, at: now)
        try await database.write(Commit(at: now, audit: [Notes.audit("a")]))
        #expect(try await database.verifyAudit().rows == 1)
      }
    }
  }

  @Test("a copy is a complete snapshot while writers continue; nothing is overwritten")
  func copy() async throws {
    try await Engine.sqlite.withStore { store in
      try await store.withNotes { opened in
        let database = try #require(opened as? any CopyableDatabase)
        for index in 0..<500 {
          try await database.write(Commit(at: now, statements: [Notes.insert("a\(index)")]))
        }
        let path = store.folder.appending(path: "copy.db").path
        let writer = Task {
          for index in 0..<500 {
            let commit = Commit(
              at: now, statements: [Notes.insert("b\(index)")], audit: [Notes.audit("\(index)")])
            try await database.write(commit)
          }
        }
        try await database.copy(to: path) { done, total in #expect(done <= total * 2) }
        await #expect(throws: StorageError.self) {
          try await database.copy(to: path) { _, _ in }
        }
        try await writer.value
        let copy = try await SQLiteDatabase.open(url: "sqlite:\(path)")
        let notes = try await copy.read(Notes.count)
        #expect((500...1_000).contains(notes))
        let report = try await copy.verifyAudit()
        #expect(report.isIntact)
        #expect(report.rows == notes - 500)
        let before = try await copy.feedEnd()
        try await copy.renewEpoch()
        await #expect(throws: StorageError.foreignCursor) {
          try await copy.feed(after: FeedCursor(epoch: before.epoch, position: 0))
        }
        await copy.close()
      }
    }
  }

  @Test("a store moves to PostgreSQL completely: rows, audit chains, feed, request ids")
  func move() async throws {
    guard Engine.allCases.contains(.postgres) else { return }
    try await Engine.sqlite.withStore { from in
      try await Engine.postgres.withStore { to in
        try await from.withNotes { source in
          for index in 0..<1_234 {
            var commit = Commit(
              at: now, statements: [Notes.insert("n\(index)")],
              events: [Notes.event("n\(index)")], audit: [Notes.audit("\(index)")])
            commit.run(
              "UPDATE note SET data = ?2, weight = 1.5 WHERE id = ?1",
              ["n\(index)", [UInt8]([0, 255, 7])])
            try await source.write(commit)
          }
          let cursor = try await source.feed(after: .start, limit: 600).last?.cursor ?? .start
          try await to.with { (target) async throws -> Void in
            await #expect(throws: StoreMove.Refusal.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in }
            }
          }
          try await to.withNotes { target in
            let moved = try await StoreMove(from: source, to: target).run { _, _, _ in }
            #expect(moved.first { $0.table == "note" }?.rows == 1_234)
            let all = Query<[Row]>("SELECT id, body, version, data, weight FROM note ORDER BY id") {
              $0
            }
            let (left, right) = (try await source.read(all), try await target.read(all))
            #expect(left.map(\.values) == right.map(\.values))
            #expect(try await target.feed(after: cursor).count == 634)
          }
          // Opened as by a service at its start, which continues the feed and the log.
          try await to.withNotes { target in
            try await target.write(
              Commit(at: now, events: [Notes.event("new")], audit: [Notes.audit("new")]))
            let end = try await target.feedEnd()
            #expect(end.position == 1_235)
            #expect(end.epoch == cursor.epoch)
            #expect(try await target.verifyAudit().rows == 1_235)
            await #expect(throws: StoreMove.Refusal.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in }
            }
          }
        }
      }
    }
  }

  @Test("a store into which a move did not finish is refused", arguments: Engine.allCases)
  func unfinished(_ engine: Engine) async throws {
    try await Engine.sqlite.withStore { from in
      try await engine.withStore { to in
        try await from.withNotes { source in
          try await source.write(Commit(at: now, statements: [Notes.insert("a")]))
          try await to.withNotes { target in
            await #expect(throws: CancellationError.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in
                throw CancellationError()
              }
            }
          }
        }
        _ = try await to.with { target in
          await #expect(throws: StorageError.unfinishedMove) { try await target.migrate([]) }
        }
      }
    }
  }

  @Test("tables that refer to each other in a cycle are not left out of a move")
  func cycle() async throws {
    let tables = Migration(
      "0001 cycle",
      sql: """
        CREATE TABLE hen (id TEXT NOT NULL PRIMARY KEY, egg_id TEXT REFERENCES egg (id)) STRICT;
        CREATE TABLE egg (id TEXT NOT NULL PRIMARY KEY, hen_id TEXT REFERENCES hen (id)) STRICT;
        """)
    try await Engine.sqlite.withStore { from in
      try await Engine.sqlite.withStore { to in
        try await from.with { source in
          try await to.with { target in
            for store in [source, target] { try await store.migrate([tables]) }
            try await source.write(
              Commit(at: now, statements: [Statement("INSERT INTO hen (id) VALUES ('a')")]))
            let refusal = await #expect(throws: StoreMove.Refusal.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in }
            }
            #expect(refusal?.description == "tables refer to each other in a cycle: egg, hen")
          }
        }
      }
    }
  }
}
