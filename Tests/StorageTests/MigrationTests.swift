import Foundation
import Storage
import TestStores
import Testing

@Suite("Migrations", .timeLimit(.minutes(2)))
struct MigrationTests {
  let more =
    Notes.migrations + [
      Migration("0002 color", sql: "ALTER TABLE note ADD COLUMN color TEXT")
    ]

  @Test("missing migrations are applied, applied ones are not repeated", arguments: Engine.allCases)
  func applies(_ engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.withNotes { database in
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
        try await database.migrate(more)
        try await database.migrate(more)
        let color = Query<String?>.one("SELECT color FROM note") { try $0.optionalText("color") }
        #expect(try await database.read(color) == nil)
      }
    }
  }

  @Test("concurrent starts apply each migration once", arguments: Engine.allCases)
  func concurrent(_ engine: Engine) async throws {
    try await engine.withStore { store in
      let database = try await store.open()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<16 { group.addTask { try await database.migrate(more) } }
        try await group.waitForAll()
      }
      await database.close()
    }
  }

  @Test("a store that is newer than the program is refused", arguments: Engine.allCases)
  func newer(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.migrate(more)
      await #expect(throws: StorageError.newerSchema("0002 color")) {
        try await database.migrate(Notes.migrations)
      }
    }
  }

  @Test(
    "a store whose own tables are newer than the program is not opened", arguments: Engine.allCases)
  func newerEngine(_ engine: Engine) async throws {
    try await engine.withStore { store in
      try await store.withNotes { database in
        let newer = Statement(
          """
          INSERT INTO storage_migration (component, position, name, checksum, time)
          VALUES ('storage', 99, 'from the future', ?1, 0)
          """, [[UInt8]()])
        try await database.write(Commit(at: now, statements: [newer]))
      }
      await #expect(throws: StorageError.newerSchema("from the future")) {
        try await store.open()
      }
    }
  }

  @Test(
    "a command that only looks neither makes a store nor upgrades one", arguments: Engine.allCases)
  func asItIs(_ engine: Engine) async throws {
    try await engine.withStore { store in
      await #expect {
        try await store.open(prepares: false).close()
      } throws: {
        if case StorageError.address = $0 { true } else { false }
      }
      let last = try #require(StorageSchema.migrations.last).name
      try await store.withNotes { database in
        let older = Statement("DELETE FROM storage_migration WHERE name = ?1", [last])
        try await database.write(Commit(at: now, statements: [older]))
      }
      for _ in 0..<2 {
        await #expect(throws: StorageError.olderSchema(last)) {
          try await store.open(prepares: false).close()
        }
      }
    }
  }

  @Test("a changed, renamed or reordered migration is refused", arguments: Engine.allCases)
  func changed(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.migrate(more)
      let edited = Migration(more[0].name, sql: more[0].sql + " ")
      let renamed = Migration("0001 other", sql: more[0].sql)
      for list in [[edited, more[1]], [renamed, more[1]], [more[1], more[0]]] {
        await #expect(throws: StorageError.changedMigration("0001 notes")) {
          try await database.migrate(list)
        }
      }
    }
  }

  @Test("a failing migration rolls back its whole list", arguments: Engine.allCases)
  func atomic(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let broken =
        more + [
          Migration("0003 broken", sql: "CREATE TABLE half (id TEXT); CREATE TABLE note (id TEXT)")
        ]
      await #expect(throws: StorageError.self) { try await database.migrate(broken) }
      await #expect(throws: StorageError.self) {
        try await database.read(Query("SELECT color FROM note") { $0.count })
      }
      await #expect(throws: StorageError.self) {
        try await database.read(Query("SELECT id FROM half") { $0.count })
      }
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
    }
  }
}
