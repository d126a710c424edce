import Foundation
import Storage
import TestStores
import Testing

@Suite("Many writes as one", .timeLimit(.minutes(2)))
struct TogetherTests {
  private struct Refused: Error {}

  /// Inserts a note unless it exists; refuses `b`; `c` has one more phase than others.
  @Sendable private static func insert(_ id: String) -> Step<String> {
    .read(byKey(id), Notes.count) { note, count in
      guard note == nil else { return .reply("\(id) is there") }
      if id == "b" { throw Refused() }
      if id == "c" { return insertLate(id) }
      return .commit(
        Commit(at: now, statements: [Notes.insert(id)], audit: [Notes.audit(id)]), "of \(count)")
    }
  }

  private static func insertLate(_ id: String) -> Step<String> {
    .read(all: [Query<Int>]()) { _ in
      .read(byKey("a")) { other in
        .commit(
          Commit(at: now, statements: [Notes.insert(id)], events: [Notes.event(id)]),
          other == nil ? "late" : "too late")
      }
    }
  }

  private static func byKey(_ id: String) -> Query<String?> {
    .keyed("SELECT id, body FROM note WHERE id IN", [id], "ORDER BY body", column: "id") { rows in
      try rows.first?.text("body")
    }
  }

  private static func write(_ ids: [String], to database: any Database) async throws -> [String] {
    let writes = ids.map { id in { @Sendable () throws -> Step<String> in insert(id) } }
    let results = try await database.write { Step.together(writes) }
    return results.map { result in
      switch result {
      case .success(let text): text
      case .failure(let error): "\(type(of: error))"
      }
    }
  }

  @Test(
    "each write has its own result, and a refusal does not affect the others",
    arguments: Engine.allCases)
  func results(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let first = try await Self.write(["a", "b", "c"], to: database)
      #expect(first == ["of 0", "Refused", "late"])
      let second = try await Self.write(["a", "d"], to: database)
      #expect(second == ["a is there", "of 2"])
      let none = try await Self.write([], to: database)
      #expect(none.isEmpty)
      #expect(try await database.read(Notes.count) == 3)
      #expect(try await database.verifyAudit().rows == 2)
    }
  }

  @Test(
    "two writes about one row fail together, and nothing of them is stored",
    arguments: Engine.allCases)
  func conflict(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      var failure: (any Error)?
      do { _ = try await Self.write(["e", "f", "e"], to: database) } catch { failure = error }
      #expect(failure is StorageError)
      let stored = try await database.read(Notes.count)
      #expect(stored == 0)
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  @Test("a hundred writes are stored completely, their events in order", arguments: Engine.allCases)
  func many(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let ids = (0..<100).map { "n\($0)" }
      let writes = ids.enumerated().map { index, id in
        { @Sendable () throws -> Step<Int> in
          var commit = Commit(at: now)
          commit.run(
            "INSERT INTO note (id, body, version, data) VALUES (?1, ?2, ?3, ?4)",
            [id, "body", index, index % 3 == 0 ? nil : [UInt8](id.utf8)], expects: .exactly(1))
          commit.run("INSERT INTO tag (note, name) VALUES (?1, 'x')", [id], expects: .exactly(1))
          commit.emit(Notes.event(id, version: Int64(index), audience: index % 2 == 0 ? nil : "us"))
          return .commit(commit, index)
        }
      }
      let results = try await database.write { Step.together(writes) }
      #expect(results.compactMap { try? $0.get() } == Array(0..<100))
      let notes = try await database.read(
        Query<[String]>.all(
          "SELECT id, version, data FROM note ORDER BY version"
        ) { row in
          let index = try row.int("version")
          let data = try row.optionalBlob("data")
          return data == (index % 3 == 0 ? nil : Array("n\(index)".utf8)) ? try row.text("id") : "?"
        })
      #expect(notes == ids)
      let tags = try await database.read(
        Query<Int>.one("SELECT count(*) AS count FROM tag WHERE name = 'x'") { try $0.int("count") }
      )
      #expect(tags == 100)
      let events = try await database.read(
        Query<[String]>.all(
          "SELECT entity, audience FROM storage_outbox ORDER BY position"
        ) { "\(try $0.text("entity")) \(try $0.optionalText("audience") ?? "-")" })
      #expect(events == ids.indices.map { "notes/n\($0) \($0 % 2 == 0 ? "-" : "us")" })
    }
  }

  @Test("of equal checks of many writes one is executed, and it still refuses all of them")
  func checks() async throws {
    let cipher = FieldCipher(.generate(at: now))
    let sealed = try cipher.seal("x", table: "t", column: "c", row: "r")
    func check(_ hashKey: UInt32) throws -> Statement {
      var commit = Commit(at: now)
      try commit.refuseOutdated(hashKey: hashKey, sealed: sealed)
      return try #require(commit.statements.first)
    }
    let (older, newer) = (try check(1), try check(2))
    #expect(Statement.folded(Array(repeating: older, count: 64)) == [older])
    #expect(Statement.folded([older, newer, older, newer]) == [older, newer])
    try await Engine.sqlite.withDatabase { database in
      let absent = Statement(
        "UPDATE note SET size = size WHERE id = ?1", ["a"], expects: .exactly(1), isCheck: true)
      let writes = (1...3).map { number in
        { @Sendable () throws -> Step<Int> in
          .commit(Commit(at: now, statements: [absent, Notes.insert("n\(number)")]), number)
        }
      }
      await #expect(throws: StorageError.contention) {
        try await database.write { Step.together(writes) }
      }
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      #expect(try await database.write { Step.together(writes) }.count == 3)
      #expect(try await database.read(Notes.count) == 4)
    }
  }

  @Test("increments of one counter become one sum", arguments: Engine.allCases)
  func sums(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(
        Commit(at: now, statements: [Notes.insert("a"), Notes.insert("b")]))
      let writes = (1...10).map { number in
        { @Sendable () throws -> Step<Int> in
          var commit = Commit(at: now)
          commit.run(
            Statement(
              "UPDATE note SET size = size + ?2 WHERE id = ?1",
              [number % 2 == 0 ? "a" : "b", number], expects: .exactly(1), adds: 1))
          return .commit(commit, number)
        }
      }
      _ = try await database.write { Step.together(writes) }
      let sizes = try await database.read(
        Query<[Int]>.all("SELECT id, size FROM note ORDER BY id") { try $0.int("size") })
      #expect(sizes == [30, 25])
    }
  }

  @Test(
    "large writes are decided before their turn, and again where others came between",
    arguments: Engine.allCases)
  func large(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      // All want one row: in a common INSERT, or after a statement that has changed something.
      let answers = try await withThrowingTaskGroup(of: [String].self) { group in
        for index in 0..<12 {
          let ids = index % 2 == 0 ? ["own\(index)", "shared"] : ["shared"]
          group.addTask {
            let writes = ids.map { id in { @Sendable () throws -> Step<String> in Self.insert(id) }
            }
            let results = try await database.writeLarge {
              index % 3 == 0 ? try Self.behindTag(Step.together(writes)) : Step.together(writes)
            }
            return try results.map { try $0.get() }
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(answers.filter { $0 == "shared is there" }.count == 11)
      #expect(try await database.read(Notes.count) == 7)
      #expect(try await database.verifyAudit().rows == 7)
      await #expect(throws: Refused.self) {
        try await database.writeLarge { try Self.insert("b").map { $0 } }
      }
    }
  }

  /// The same write after another statement of its own.
  private static func behindTag<Reply>(_ step: Step<Reply>) throws -> Step<Reply> {
    try step.finish { commit, reply in
      guard var commit else { return .reply(reply) }
      commit.statements.insert(Notes.insert("own tag \(UUID())"), at: 0)
      commit.statements.insert(
        Statement("DELETE FROM note WHERE id LIKE 'own tag %'", expects: .exactly(1)), at: 1)
      return .commit(commit, reply)
    }
  }
}
