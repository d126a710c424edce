import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite(
  "PostgreSQL engine, calls that come alone", .enabled(if: Engine.allCases.contains(.postgres)),
  .timeLimit(.minutes(2)))
struct PostgresLoneTests {
  @Test("calls alone and together, kept and canceled, are all answered, after pauses too")
  func mixed() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { database in
        @Sendable func write(_ id: String) async throws {
          try await database.write {
            .read(Notes.byID(id)) { note in
              .commit(Commit(at: now, statements: note == nil ? [Notes.insert(id)] : []), ())
            }
          }
        }
        for round in 0..<60 {
          try await write("\(round) alone")
          #expect(try await database.read(Notes.byID("\(round) alone")) != nil)
          try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<(round % 12) {
              group.addTask { try await write("\(round) with \(index)") }
              group.addTask { _ = try await database.read(Notes.count) }
            }
            try await group.waitForAll()
          }
          let canceled = Task { try await write("\(round) canceled") }
          canceled.cancel()
          _ = try? await canceled.value
          // Time itself is meant: after it the engine's thread waits without a limit.
          if round % 20 == 0 { try await Task.sleep(for: EngineLoop.awakeMax * 1.1) }
        }
        let kept = try await database.read(
          Query<Int>.one("SELECT count(*) AS n FROM note WHERE id NOT LIKE '%canceled'") {
            try $0.int("n")
          })
        #expect(kept == 60 + 5 * (0..<12).reduce(0, +))
      }
    }
  }

  @Test("a call that comes after a pause is given up where the server is gone")
  func pause() async throws {
    try await Engine.postgres.withStore { store in
      let server = UInt16(try #require(URL(string: store.url)?.port))
      let gate = try Gate(to: server)
      defer { gate.close() }
      var options = PostgresOptions()
      options.doubtMax = .milliseconds(100)
      options.outageMax = .milliseconds(100)
      let database = try await PostgresDatabase.open(
        url: store.url.replacing(":\(server)/", with: ":\(gate.port)/"), options: options)
      // Once it answers, the connection is there; a busy machine takes a while for that.
      let one = Query<Int>.one("SELECT 1 AS n") { try $0.int("n") }
      try await eventually { (try? await database.read(one)) == 1 }
      // Time itself is meant: after it the engine's thread waits without a limit.
      try await Task.sleep(for: EngineLoop.awakeMax * 1.2)
      // Whether the server still works cannot be asked any more.
      gate.close()
      let error = await #expect(throws: StorageError.self) {
        try await database.read(
          Query<Int>("SELECT CAST(pg_sleep(60) AS TEXT) AS nothing") { $0.count })
      }
      if case .unreachable = error {} else { Issue.record("\(error?.debugDetail ?? "no error")") }
      await database.close()
    }
  }
}
