import Foundation
import Storage
import TestStores
import Testing

@testable import StoragePostgres

@Suite("Parts by month, and what is forgotten", .timeLimit(.minutes(2)))
struct MonthTests {
  private static let table = """
    CREATE TABLE visit (id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (id, at))
    """
  private static let visits = Migration(
    "0001 visits", sql: "\(table) STRICT;",
    postgres: "\(table) PARTITION BY RANGE (at);"
      + "CREATE TABLE visit_default PARTITION OF visit DEFAULT;")
  private static let day = 86_400.0
  private static let ids = Query<[String]>.all("SELECT id FROM visit ORDER BY id") {
    try $0.text("id")
  }

  private func visit(_ id: String, _ time: Date) -> Commit {
    Commit(
      at: time,
      statements: [
        Statement("INSERT INTO visit (id, at) VALUES (?1, ?2)", [id, time], expects: .exactly(1))
      ])
  }

  @Test("rows outside of their month's partition are purged too", arguments: Engine.allCases)
  func strays(_ engine: TestStores.Engine) async throws {
    try await engine.withStore { store in
      try await store.with { database in
        try await database.migrate([Self.visits])
        let old = now - 100 * Self.day
        let ids = (0..<Limits.rowsPerPurge + 7).map { "v\($0)" }
        try await database.write(
          Commit(at: old, statements: ids.flatMap { visit($0, old).statements }))
        try await database.write(visit("young", now))
        let months = MonthlyTable("visit", by: "at", monthsKept: 1)
        #expect(try await database.keepMonths(of: months, at: now) == ids.count)
        #expect(try await database.read(Self.ids) == ["young"])
        #expect(try await database.keepMonths(of: months, at: now) == 0)
      }
    }
  }

  @Test("SQLite's rows are purged in order of storing: an old row behind a younger one waits")
  func order() async throws {
    try await Engine.sqlite.withStore { store in
      try await store.with { database in
        try await database.migrate([Self.visits])
        for (id, age) in [("a", 100.0), ("b", 0), ("c", 100)] {
          try await database.write(visit(id, now - age * Self.day))
        }
        let months = MonthlyTable("visit", by: "at", monthsKept: 1)
        #expect(try await database.keepMonths(of: months, at: now) == 1)
        #expect(try await database.read(Self.ids) == ["b", "c"])
        #expect(try await database.keepMonths(of: months, at: now + 70 * Self.day) == 2)
      }
    }
  }

  @Test(
    "a table with a long-running reader is skipped for now",
    .enabled(if: Engine.allCases.contains(.postgres)))
  func held() async throws {
    try await Engine.postgres.withStore { store in
      try await store.with { database in
        try await database.migrate([Self.visits])
        let months = MonthlyTable("visit", by: "at", monthsKept: 1)
        _ = try await database.keepMonths(of: months, at: now)
        let reader = try PostgresLink(url: store.url, options: PostgresOptions())
        defer { reader.close() }
        try reader.run("BEGIN; SELECT * FROM visit")
        await #expect(throws: StorageError.busy) {
          try await database.keepMonths(of: months, at: now + 200 * Self.day)
        }
        try await database.write(visit("a", now))
        try reader.run("COMMIT")
        #expect(try await database.keepMonths(of: months, at: now + 200 * Self.day) == 4)
      }
    }
  }

  @Test(
    "a moved store has each row in its month's partition; an incomplete move is refused",
    .enabled(if: Engine.allCases.contains(.postgres)))
  func moved() async throws {
    try await Engine.sqlite.withStore { from in
      try await from.with { source in
        try await source.migrate([Self.visits])
        for (id, age) in [("a", 0.0), ("b", 40), ("c", 400)] {
          var commit = visit(id, now - age * Self.day)
          commit.record(Notes.audit(id))
          try await source.write(commit)
        }
        try await Engine.postgres.withStore { to in
          try await to.with { target in
            try await target.migrate([Self.visits])
            await #expect(throws: CancellationError.self) {
              try await StoreMove(from: source, to: target).run { _, _, _ in
                throw CancellationError()
              }
            }
          }
          _ = try await to.with { target in
            await #expect(throws: StorageError.unfinishedMove) {
              try await target.migrate([Self.visits])
            }
          }
        }
        try await Engine.postgres.withStore { to in
          try await to.with { target in
            try await target.migrate([Self.visits])
            _ = try await StoreMove(from: source, to: target).run { _, _, _ in }
            for table in ["visit", "storage_audit"] {
              let strays = Query<Int>.one("SELECT count(*) AS n FROM \(table)_default") {
                try $0.int("n")
              }
              #expect(try await target.read(strays) == 0)
            }
            let months = MonthlyTable("visit", by: "at", monthsKept: 3)
            #expect(try await target.keepMonths(of: months, at: now) == 1)
            #expect(try await target.read(Self.ids) == ["a", "b"])
          }
          try await to.with { try await $0.migrate([Self.visits]) }
        }
      }
    }
  }

  @Test(
    "a clock that jumps ahead advances the retention by at most a day per round",
    arguments: Engine.allCases)
  func jump(_ engine: TestStores.Engine) async throws {
    try await engine.withDatabase { database in
      let (hour, day, year) = (3_600.0, Self.day, 365 * Self.day)
      var rounds: [Double] = []
      // The clock is corrected, and jumps again.
      for time in [0, hour, year, year, 2 * hour, year] {
        rounds.append(try await database.forgettingInstant(at: now + time).timeIntervalSince(now))
      }
      let expected = [0, hour, hour + day, hour + 2 * day, 2 * hour, 2 * hour + day]
      #expect(rounds.map { $0.rounded() } == expected)
    }
  }
}
