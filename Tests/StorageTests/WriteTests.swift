import Foundation
import Storage
import TestStores
import Testing

@Suite("Writes", .timeLimit(.minutes(2)))
struct WriteTests {
  @Test("a value of each kind is read as it was stored", arguments: Engine.allCases)
  func kinds(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let body = "驿家 '\" \u{20BB7} e\u{301}"
      try await database.write(
        Commit(
          at: now,
          statements: [
            Statement(
              """
              INSERT INTO note (id, body, version, size, data, weight)
              VALUES (?2, ?1, ?3, ?4, ?5, ?6)
              """, [body, "a", Int64.max, true, [UInt8]([0, 255]), 1.5]),
            Statement(
              "INSERT INTO note (id, body, version, data) VALUES (?1, ?1, ?2, ?3)",
              ["b", now, [UInt8]?.none]),
            Statement(
              "INSERT INTO note (id, body, version, data) VALUES ('c', 'c', 1, ?1)", [[UInt8]()]),
          ]))
      let sql = "SELECT body, version, size, data, weight FROM note WHERE id = ?1"
      let row = try #require(try await database.read(Query.first(sql, ["a"]) { $0 }))
      #expect(try row.text("body") == body)
      #expect(try row.integer("version") == .max)
      #expect(try row.boolean("size"))
      #expect(try row.blob("data") == [0, 255])
      #expect(try row.real("weight") == 1.5)
      let other = try #require(try await database.read(Query.first(sql, ["b"]) { $0 }))
      #expect(try other.instant("version") == now)
      #expect(try other.optionalBlob("data") == nil)
      #expect(try other.optionalReal("weight") == nil)
      #expect(throws: StorageError.column("data")) { try other.blob("data") }
      #expect(throws: StorageError.column("absent")) { try other.text("absent") }
      #expect(throws: StorageError.column("body")) { try other.integer("body") }
      let empty = try #require(try await database.read(Query.first(sql, ["c"]) { $0 }))
      #expect(try empty.blob("data") == [])
    }
  }

  @Test("a write reads, decides and stores in one step", arguments: Engine.allCases)
  func readsAndDecides(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let reply = try await database.write {
        Step<String>.read(Notes.byID("a"), Notes.count, Notes.byID("absent")) { note, count, none in
          .read(all: [Notes.byID("a"), Notes.byID("b")]) { both in
            #expect(both == [note, nil])
            #expect(none == nil)
            var commit = Commit(at: now)
            commit.run(
              "UPDATE note SET version = ?2 WHERE id = ?1 AND version = ?3",
              ["a", 7, note?.version], expects: .exactly(1))
            return .commit(commit, "was \(note?.version ?? 0) of \(count)")
          }
        }
      }
      #expect(reply == "was 1 of 1")
      #expect(try await database.read(Notes.byID("a"))?.version == 7)
    }
  }

  @Test("a phase without queries is skipped", arguments: Engine.allCases)
  func emptyPhase(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let reply = try await database.write {
        Step<Int>.read(all: [Query<Int>]()) { .reply($0.count) }
      }
      #expect(reply == 0)
      _ = try await database.read(all: [])
    }
  }

  @Test("a refusal reaches the caller unchanged and stores nothing", arguments: Engine.allCases)
  func refusal(_ engine: Engine) async throws {
    struct Refused: Error, Equatable {}
    try await engine.withDatabase { database in
      await #expect(throws: Refused()) {
        try await database.write { Step<Int>.read(Notes.count) { _ in throw Refused() } }
      }
      await #expect(throws: Refused()) {
        try await database.write { () -> Step<Int> in throw Refused() }
      }
      let reply = try await database.write { Step.reply(5) }
      #expect(reply == 5)
      let count = try await database.read(Notes.count)
      #expect(count == 0)
    }
  }

  @Test(
    "writes that conflict at one key beside many others are all stored, each once",
    arguments: Engine.allCases)
  func meetingAtAKey(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<24 {
          group.addTask {
            for turn in 0..<20 {
              // Reads make the writes arrive while others commit.
              for _ in 0..<(writer % 5) { _ = try await database.read(Notes.count) }
              try await database.write { countedNote("\(turn)") }
            }
          }
        }
        try await group.waitForAll()
      }
      for turn in 0..<20 {
        #expect(try await database.read(Notes.byID("\(turn)"))?.version == 24)
      }
      #expect(try await database.verifyAudit().rows == 480)
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  /// Inserts a note, or increments its version if it exists.
  private func countedNote(_ id: String) -> Step<Void> {
    .read(Notes.byID(id)) { note in
      var commit = Commit(at: now, audit: [Notes.audit(id)])
      if let note {
        commit.run(
          "UPDATE note SET version = ?2 + 1 WHERE id = ?1 AND version = ?2", [id, note.version],
          expects: .exactly(1))
      } else {
        commit.statements.append(Notes.insert(id))
      }
      return .commit(commit, ())
    }
  }

  @Test("a failed guard makes the write read again and succeed", arguments: Engine.allCases)
  func guardRereads(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let attempts = Counter()
      let reply = try await database.write {
        Step<Int>.read(Notes.byID("a")) { note in
          #expect(note?.body == "body of a")
          let attempt = attempts.next()
          var commit = Commit(at: now, events: [Notes.event("a")], audit: [Notes.audit("a")])
          commit.run("UPDATE note SET body = 'half done' WHERE id = 'a'")
          commit.run(
            "UPDATE note SET version = version + 1 WHERE id = ?1", [attempt < 3 ? "absent" : "a"],
            expects: .exactly(1))
          return .commit(commit, attempt)
        }
      }
      #expect(reply == 3)
      #expect(try await database.feed(after: .start).count == 1)
      #expect(try await database.verifyAudit().rows == 1)
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  @Test("a guard that never holds ends in contention, within bounds", arguments: Engine.allCases)
  func contention(_ engine: Engine) async throws {
    try await engine.withDatabase { (database) async throws in
      let attempts = Counter()
      await #expect(throws: StorageError.contention) {
        try await database.write {
          attempts.next()
          var commit = Commit(at: now, statements: [Notes.insert("a")])
          commit.run("UPDATE note SET version = 2 WHERE id = 'absent'", expects: .exactly(1))
          return Step<Void>.commit(commit, ())
        }
      }
      #expect(attempts.value == Limits.attemptsPerWrite)
      #expect(try await database.read(Notes.count) == 0)
    }
  }

  @Test("a write without end is refused", arguments: Engine.allCases)
  func endlessPhases(_ engine: Engine) async throws {
    @Sendable func again(_ count: Int) throws -> Step<Int> { .read(Notes.count, then: again) }
    try await engine.withDatabase { database in
      await #expect(throws: StorageError.limit("read phases per write")) {
        try await database.write { try again(0) }
      }
    }
  }

  @Test("constraints are named by table and columns", arguments: Engine.allCases)
  func constraints(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(Commit(at: now, statements: [Notes.insert("a", body: "same")]))
      let cases: [(Statement, StorageError.Constraint)] = [
        (Notes.insert("a"), .init(kind: .unique, table: "note", columns: ["id"])),
        (
          Notes.insert("b", body: "same"),
          .init(kind: .unique, table: "note", columns: ["body", "version"])
        ),
        (
          Statement("INSERT INTO note (id, version) VALUES ('c', 1)"),
          .init(kind: .notNull, table: "note", columns: ["body"])
        ),
        (Statement("UPDATE note SET size = -1"), .init(kind: .check)),
        (Statement("INSERT INTO tag (note, name) VALUES ('x', 'y')"), .init(kind: .foreignKey)),
      ]
      for (statement, constraint) in cases {
        await #expect(throws: StorageError.constraint(constraint)) {
          try await database.write(Commit(at: now, statements: [statement]))
        }
      }
      #expect(try await database.read(Notes.count) == 1)
    }
  }

  @Test("invalid SQL is an error that does not show the SQL", arguments: Engine.allCases)
  func wrongSQL(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let queries: [Query<Int>] = [
        Query("SELECT secret FROM nowhere") { $0.count },
        Query("SELECT id FROM note WHERE id = ?1") { $0.count },
      ]
      for query in queries {
        let error = await #expect(throws: StorageError.self) { try await database.read(query) }
        guard case .statement = error else {
          Issue.record("\(String(describing: error)) isn't a wrong statement")
          continue
        }
        #expect(error.map { "\($0) \(String(reflecting: $0))" }?.contains("SELECT") == false)
        #expect(error?.debugDetail?.contains("SELECT") == true)
      }
    }
  }

  @Test("64 writers of one row lose no update", arguments: Engine.allCases)
  func counters(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<64 {
          group.addTask {
            for _ in 0..<10 {
              try await database.write {
                Step<Void>.read(Notes.byID("a")) { note in
                  var commit = Commit(at: now)
                  commit.run(
                    "UPDATE note SET version = ?1 WHERE id = 'a' AND version = ?2",
                    [(note?.version ?? 0) + 1, note?.version], expects: .exactly(1))
                  return .commit(commit, ())
                }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.read(Notes.byID("a"))?.version == 641)
    }
  }

  @Test("several queries see one snapshot while a writer continues", arguments: Engine.allCases)
  func snapshots(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for index in 0..<300 {
            try await database.write(Commit(at: now, statements: [Notes.insert("\(index)")]))
          }
        }
        for _ in 0..<200 {
          let (before, between, after) = try await database.read(
            Notes.count, Notes.byID("299"), Notes.count)
          #expect(before == after)
          #expect(between == nil || before == 300)
        }
        try await group.waitForAll()
      }
    }
  }

  @Test("a long result streams in pages while writers continue", arguments: Engine.allCases)
  func streams(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let ids = (0..<105).map { String(format: "%04d", $0) }
      try await database.write(Commit(at: now, statements: ids.map { Notes.insert($0) }))
      let pages = Counter()
      let rows = database.stream(pageSize: 10) { (after: Notes.Note?, limit) in
        pages.next()
        return Notes.page(after: after?.id, limit: limit)
      }
      var seen: [String] = []
      for try await note in rows {
        seen.append(note.id)
        try await database.write {
          Step<Void>.commit(
            Commit(at: now, statements: [Statement("UPDATE note SET size = size + 1")]), ())
        }
      }
      #expect(seen == ids)
      #expect(pages.value == 11)
    }
  }

  @Test("a cancelled caller's write that has not begun is dropped", arguments: Engine.allCases)
  func cancelled(_ engine: Engine) async throws {
    try await engine.withDatabase { (database) async throws in
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      }
      await #expect(throws: CancellationError.self) { try await task.value }
      #expect(try await database.read(Notes.count) == 0)
    }
  }
}
