import Foundation
import Storage
import TestStores
import Testing

@testable import StoragePostgres

@Suite(
  "PostgreSQL engine, bounds and TLS", .enabled(if: Engine.allCases.contains(.postgres)),
  .timeLimit(.minutes(2)))
struct PostgresBoundTests {
  @Test("writes that wait are stored as they came; one too many is refused at once")
  func waiting() async throws {
    try await Engine.postgres.withStore { store in
      var options = PostgresOptions()
      options.writesPerCommit = 1
      options.waitingWrites = 4
      let database = try await PostgresDatabase.open(url: store.url, options: options)
      try await database.migrate(Notes.migrations)
      let holder = try PostgresLink(url: store.url, options: options)
      let lock = try PostgresSession(holder).lock
      _ = try holder.rows("SELECT pg_advisory_lock(?1)", [.integer(lock)])
      var tasks: [Task<Void, any Error>] = []
      // Two are on their way, one commit behind the other.
      for index in 0..<6 {
        tasks.append(Task { try await database.write(Self.commit(index)) })
        try await eventually { database.statistics.waiting == max(0, index - 1) }
      }
      await #expect(throws: StorageError.busy) { try await database.write(Self.commit(6)) }
      _ = try holder.rows("SELECT pg_advisory_unlock(?1)", [.integer(lock)])
      holder.close()
      for task in tasks { try await task.value }
      let events = try await database.feed(after: .start)
      #expect(events.map(\.entity) == (0..<6).map { "notes/\($0)" })
      await database.close()
    }
  }

  private static func commit(_ index: Int) -> Commit {
    Commit(
      at: now, statements: [Notes.insert("\(index)")], events: [Notes.event("\(index)")])
  }

  @Test("statements whose count can't surprise are told from those whose count can")
  func sure() {
    let sure = [
      "INSERT INTO a (b) VALUES (?1)", "INSERT INTO a (b, c) VALUES (?1, coalesce(?2, (0)))",
      "insert into a values (?1) ",
    ]
    let unsure = [
      "INSERT INTO a (b) VALUES (?1) ON CONFLICT DO NOTHING", "UPDATE a SET b = ?1",
      "INSERT INTO a (b) VALUES (?1), (?2)", "INSERT INTO a (b) SELECT ?1 WHERE ?2 = 1",
      "DELETE FROM a WHERE b = ?1",
    ]
    for sql in sure { #expect(Statement(sql, expects: .exactly(1)).isSure, "\(sql)") }
    for sql in unsure {
      #expect(!Statement(sql, expects: .exactly(1)).isSure, "\(sql)")
      #expect(Statement(sql).isSure, "\(sql)")
    }
    #expect(!Statement(sure[0], expects: .exactly(2)).isSure)
  }

  @Test("a write with a text that can't be stored takes none of its group with it")
  func unsendable() async throws {
    try await Engine.postgres.withDatabase { database in
      let results = await withTaskGroup(of: (Int, Bool).self) { group in
        for index in 0..<40 {
          let id = index % 8 == 3 ? "\(index)\0" : "\(index)"
          group.addTask {
            do {
              try await database.write(
                Commit(at: now, statements: [Notes.insert(id)], audit: [Notes.audit("\(index)")]))
              return (index, true)
            } catch {
              return (index, false)
            }
          }
        }
        return await group.reduce(into: [Int: Bool]()) { $0[$1.0] = $1.1 }
      }
      for (index, isStored) in results { #expect(isStored == (index % 8 != 3)) }
      #expect(try await database.read(Notes.count) == 35)
      let report = try await database.verifyAudit()
      #expect(report.isIntact)
      #expect(report.rows == 35)
    }
  }

  /// The certificate of the test server's authority, where it has one.
  private static let authority = ProcessInfo.processInfo.environment["YIJIA_TEST_POSTGRES_CA"]

  @Test(
    "over TLS the server is verified: its authority and its name",
    .enabled(if: PostgresBoundTests.authority != nil))
  func encrypted() async throws {
    let authority = Self.authority ?? ""
    try await Engine.postgres.withStore { store in
      let url = store.url.replacing("@127.0.0.1:", with: "@localhost:")
      let database = try await PostgresDatabase.open(
        url: "\(url)&sslmode=verify-full&sslrootcert=\(authority)")
      try await database.migrate(Notes.migrations)
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let isEncrypted = try await database.read(
        .one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") { try $0.boolean("ssl") })
      #expect(isEncrypted)
      await database.close()
      // Of another name than its certificate says, and of an authority that we don't know.
      let stranger = store.url.replacing("@127.0.0.1:", with: "@127.0.0.2:")
      for url in [
        "\(stranger)&sslmode=verify-full&sslrootcert=\(authority)",
        "\(url)&sslmode=verify-full&sslrootcert=\(store.folder.path)/none.crt",
      ] {
        let error = await #expect(throws: StorageError.self) {
          try await PostgresDatabase.open(url: url)
        }
        guard case .unreachable? = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
      }
    }
  }
}
