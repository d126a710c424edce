import Storage
import TestStores
import Testing

@Suite("Constants among queries", .timeLimit(.minutes(2)))
struct ConstantTests {
  @Test("a constant keeps its place among what is read", arguments: Engine.allCases)
  func mixed(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let (first, count, last) = try await database.read(
        Query.constant("first"), Notes.count, Query.constant(3).map { $0 + 1 })
      #expect((first, count, last) == ("first", 1, 4))
      let replied: [Int] = try await database.write {
        .read(all: [.constant(7), Notes.count, .constant(9)]) { .reply($0) }
      }
      #expect(replied == [7, 1, 9])
    }
  }

  @Test("constants alone ask the store nothing, alone and together", arguments: Engine.allCases)
  func alone(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let writes = ["a", "b"].map { text in
        { @Sendable () throws -> Step<String> in
          .read(Query.constant(text), Query.constant("!")) { .reply($0 + $1) }
        }
      }
      #expect(try await database.write(writes[0]) == "a!")
      let both = try await database.write { Step.together(writes) }
      #expect(try both.map { try $0.get() } == ["a!", "b!"])
      await database.close()
      #expect(try await database.read(Query<Int?>.constant(nil)) == nil)
    }
  }
}
