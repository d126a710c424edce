import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite(
  "PostgreSQL engine, bounds and TLS", .enabled(if: Engine.allCases.contains(.postgres)),
  .timeLimit(.minutes(2)))
struct PostgresBoundTests {
  /// Options with which a write waits for a held lock, however slow the machine is: one that was
  /// refused would be queued once more.
  private static var patient: PostgresOptions {
    var options = PostgresOptions()
    options.writesPerCommit = 1
    (options.silenceMax, options.statementMax) = (.seconds(100), .seconds(100))
    options.waitMax = .seconds(100)
    return options
  }

  @Test("waiting writes are stored in order; one too many is refused at once")
  func waiting() async throws {
    try await Engine.postgres.withStore { store in
      var options = Self.patient
      options.waitingWrites = 4
      let database = try await PostgresDatabase.open(url: store.url, options: options)
      try await database.migrate(Notes.migrations)
      let holder = try PostgresLink(url: store.url, options: options)
      let lock = try PostgresSession(holder).lock
      _ = try holder.rows("SELECT pg_advisory_lock(?1)", [.integer(lock)])
      // Two are in flight, one commit behind the other.
      let tasks = try await Self.writeInOrder(6, database)
      try await eventually { database.statistics.waiting == 4 }
      await #expect(throws: StorageError.busy) { try await database.write(Self.commit(6)) }
      _ = try holder.rows("SELECT pg_advisory_unlock(?1)", [.integer(lock)])
      holder.close()
      for task in tasks { try await task.value }
      let events = try await database.feed(after: .start)
      #expect(events.map(\.entity) == (0..<6).map { "notes/\($0)" })
      await database.close()
    }
  }

  @Test("a canceled write that waits is answered at once and gives up its place")
  func canceled() async throws {
    try await Engine.postgres.withStore { store in
      let options = Self.patient
      let database = try await PostgresDatabase.open(url: store.url, options: options)
      try await database.migrate(Notes.migrations)
      let holder = try PostgresLink(url: store.url, options: options)
      let lock = try PostgresSession(holder).lock
      _ = try holder.rows("SELECT pg_advisory_lock(?1)", [.integer(lock)])
      let tasks = try await Self.writeInOrder(4, database)
      try await eventually { database.statistics.waiting == 2 }
      tasks[2].cancel()
      await #expect(throws: CancellationError.self) { try await tasks[2].value }
      try await eventually { database.statistics.waiting == 1 }
      // A write whose transaction has started is completed.
      tasks[0].cancel()
      _ = try holder.rows("SELECT pg_advisory_unlock(?1)", [.integer(lock)])
      holder.close()
      for index in [0, 1, 3] { try await tasks[index].value }
      #expect(try await database.read(Notes.count) == 3)
      await database.close()
    }
  }

  @Test("a write is canceled while it reads")
  func canceledPhase() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { database in
        let slow = Task {
          try await database.write {
            Step<Void>.read(
              Query<Int>("SELECT CAST(pg_sleep(60) AS TEXT) AS nothing") { $0.count }
            ) { _ in .reply(()) }
          }
        }
        try await eventually { database.statistics.waiting == 1 }
        slow.cancel()
        await #expect(throws: CancellationError.self) { try await slow.value }
        try await eventually { database.statistics.waiting == 0 }
      }
    }
  }

  @Test("a server is probed at its own address although the URL names several")
  func addresses() async throws {
    try await Engine.postgres.withStore { store in
      let parts = store.url.split(separator: "@", maxSplits: 1)
      let place = try #require(parts.last?.split(separator: "/", maxSplits: 1).first)
      let url =
        "\(parts[0])@\(place),\(place)\(parts[1].dropFirst(place.count))"
        + "&hostaddr=127.0.0.1,127.0.0.1"
      let link = try PostgresLink(url: url, options: PostgresOptions())
      defer { link.close() }
      let probe = try PostgresLink(url: url, options: PostgresOptions(), at: link.place)
      defer { probe.close() }
      #expect(probe.place.isSameServer(as: link.place))
    }
  }

  @Test("a statement with more arguments than the protocol allows is refused, and others go on")
  func arguments() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { database in
        let session = Query<Int64>.one("SELECT pg_backend_pid() AS id") { try $0.integer("id") }
        let before = try await database.read(session)
        let ids = (0..<65_536).map { "\($0)" }
        let places = ids.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
        let list = "FROM note WHERE id IN (\(places))"
        await #expect(throws: StorageError.limit("arguments of a statement")) {
          try await database.read(Query<Int>("SELECT id \(list) LIMIT 1", ids) { $0.count })
        }
        await #expect(throws: StorageError.limit("arguments of a statement")) {
          let statement = Statement("DELETE \(list)", ids)
          try await database.write(Commit(at: now, statements: [statement]))
        }
        #expect(try await database.read(session) == before)
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
        #expect(try await database.read(Notes.count) == 1)
      }
    }
  }

  @Test("two servers that take turns behind one name are told apart")
  func turns() async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { _ in }
      var links: [PostgresLink] = []
      defer { for link in links { link.close() } }
      for role in [PostgresSession.Role.writer, .reader] {
        links.append(try PostgresSession.open(store.url, PostgresOptions(), role).0)
      }
      #expect(links[0].place.isSameServer(as: links[1].place))
      #expect(links[0].serverStart > 0)
      // As after a failover to which the name has followed.
      links[1].serverStart += 1
      #expect(!links[0].place.isSameServer(as: links[1].place))
    }
  }

  /// Starts writes, each once the engine has taken the one before.
  private static func writeInOrder(
    _ count: Int, _ database: PostgresDatabase
  ) async throws -> [Task<Void, any Error>] {
    let taken = Counter()
    var tasks: [Task<Void, any Error>] = []
    for index in 0..<count {
      tasks.append(
        Task {
          try await database.write { () -> Step<Void> in
            taken.next()
            return .commit(commit(index), ())
          }
        })
      try await eventually { taken.value > index }
    }
    return tasks
  }

  private static func commit(_ index: Int) -> Commit {
    Commit(
      at: now, statements: [Notes.insert("\(index)")], events: [Notes.event("\(index)")])
  }

  @Test("statements with a predictable row count are distinguished from others")
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

  @Test("a server that ends or starts in any way is never a fault of a statement")
  func befalls() {
    // What the server reports when it is killed, shuts down, starts, lacks resources or changes its
    // role (PostgreSQL manual, appendix A), and libpq's own errors, which have no code.
    let states = [
      "", "08000", "08003", "08006", "08P01", "25006", "25P02", "25P03", "26000", "40000", "40001",
      "40003", "40P01", "53000", "53100", "53200", "53300", "53400", "55P03", "57000", "57014",
      "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030", "58P01", "58P02", "58P03",
      "F0000", "XX000",
    ]
    for state in states {
      switch ServerError(state: state, message: "").storageError(sql: "") {
      case .unreachable, .busy, .full, .io, .contention: break
      case let other: Issue.record("\(state): \(other)")
      }
    }
    // An invalid statement stays one, unless it is the engine's own.
    let wrong = ServerError(state: "42601", message: "syntax error")
    #expect(throws: StorageError.statement(.init("PostgreSQL 42601: syntax error: x"))) {
      throw wrong.storageError(sql: "x")
    }
    guard case .io = wrong.ownError, case .unreachable = wrong.storageError(sql: "x").asOutage
    else { return #expect(Bool(false), "the engine's own") }
  }

  @Test("statements that the session has lost are prepared again")
  func forgotten() async throws {
    try await Engine.postgres.withDatabase { database in
      for round in 0..<3 {
        try await database.write(
          Commit(
            at: now, statements: [Notes.insert("a\(round)")], events: [Notes.event("a\(round)")],
            audit: [Notes.audit("a\(round)")]))
        try await database.write(Commit(at: now, statements: [Statement("DEALLOCATE ALL")]))
        #expect(try await database.read(Notes.count) == 2 * round + 1)
        try await database.write(
          Commit(
            at: now, statements: [Notes.insert("b\(round)")], events: [Notes.event("b\(round)")],
            audit: [Notes.audit("b\(round)")]))
      }
      #expect(try await database.feed(after: .start).count == 6)
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  @Test("plans are made again after many statements, as tables may have grown")
  func renewal() async throws {
    try await Engine.postgres.withStore { store in
      var options = PostgresOptions()
      options.readers = 1
      let database = try await PostgresDatabase.open(url: store.url, options: options)
      try await database.migrate(Notes.migrations)
      let first = Query<Bool>.exists(
        "SELECT name FROM pg_prepared_statements WHERE name = 's1' LIMIT 1")
      #expect(try await database.read(first))
      for index in 0..<1_000 {
        _ = try await database.read(Notes.count)
        if index % 4 == 0 {
          try await database.write(Commit(at: now, statements: [Notes.insert("\(index)")]))
        }
      }
      #expect(try await !database.read(first))
      #expect(try await database.read(Notes.count) == 250)
      await database.close()
    }
  }

  @Test("a write with a text that cannot be stored does not fail its group")
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

  /// The certificate of the test server's authority, if it has one.
  private static let authority = ProcessInfo.processInfo.environment["YIJIA_TEST_POSTGRES_CA"]

  @Test(
    "over TLS the server's authority and name are verified",
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
      // With another name than in its certificate, and with an unknown authority.
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
