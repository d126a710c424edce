import Foundation
import GRDB
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StorageSQLite

@Suite("SQLite engine", .timeLimit(.minutes(2)))
struct SQLiteTests {
  func with(
    _ options: SQLiteOptions = SQLiteOptions(),
    _ body: (SQLiteDatabase, TestStore) async throws -> Void
  ) async throws {
    try await Engine.sqlite.withStore { store in
      let database = try await SQLiteDatabase.open(url: store.url, options: options)
      do {
        try await database.migrate(Notes.migrations)
        try await body(database, store)
      } catch {
        await database.close()
        throw error
      }
      await database.close()
    }
  }

  /// Blocks the writer's thread while `count` writes queue up one after the other, so that their
  /// order in the group is known; then releases it.
  ///
  /// - Returns: The error of each.
  func behindBlocker(
    _ database: SQLiteDatabase, count: Int, _ one: @escaping @Sendable (Int) async throws -> Void,
    held: ([Task<Void, any Error>]) async throws -> Void = { _ in }
  ) async throws -> [Int: any Error] {
    let gate = DispatchSemaphore(value: 0)
    let reached = Counter()
    let blocker = Task {
      try await database.write { () -> Step<Void> in
        reached.next()
        gate.wait()
        return .reply(())
      }
    }
    try await eventually { reached.value == 1 }
    var tasks: [Task<Void, any Error>] = []
    for index in 0..<count {
      tasks.append(Task { try await one(index) })
      try await eventually { database.statistics.waiting == index + 1 }
    }
    try await held(tasks)
    gate.signal()
    try await blocker.value
    var failures: [Int: any Error] = [:]
    for (index, task) in tasks.enumerated() {
      if case .failure(let error) = await task.result { failures[index] = error }
    }
    return failures
  }

  /// Inserts one note.
  @Sendable static func insert(_ database: SQLiteDatabase, _ id: String) async throws {
    try await database.write(Commit(at: now, statements: [Notes.insert(id)]))
  }

  @Test("the writer syncs at every commit; the file is in WAL mode and exclusively owned")
  func settings() async throws {
    try await Engine.sqlite.withStore { store in
      let queue = try SQLiteFile(url: store.url).openWriter(logBytes: 1 << 20)
      try await queue.writeWithoutTransaction { database in
        #expect(try Int.fetchOne(database, sql: "PRAGMA synchronous") == 2)
        #expect(try String.fetchOne(database, sql: "PRAGMA journal_mode") == "wal")
        #expect(try Int.fetchOne(database, sql: "PRAGMA foreign_keys") == 1)
        try database.execute(sql: "CREATE TABLE t (a)")
      }
      for suffix in ["", "-wal", "-shm"] {
        let attributes = try FileManager.default.attributesOfItem(atPath: store.path + suffix)
        #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
      }
      try queue.close()
    }
  }

  @Test("waiting writes share one commit; a failing one does not fail the others")
  func groups() async throws {
    struct Refused: Error {}
    try await with { database, _ in
      let before = database.statistics
      let failures = try await behindBlocker(database, count: 40) { index in
        switch index {
        case 7: try await database.write { () -> Step<Void> in throw Refused() }
        case 8: try await database.write(Commit(at: now, statements: [Notes.insert("0")]))
        case 9:
          let guarded = Statement("UPDATE note SET size = 1 WHERE id = 'no'", expects: .exactly(1))
          try await database.write(
            Commit(
              at: now, statements: [Notes.insert("9"), guarded], events: [Notes.event("9")],
              audit: [Notes.audit("9")]))
        default:
          try await database.write(
            Commit(
              at: now, statements: [Notes.insert("\(index)")], events: [Notes.event("\(index)")],
              audit: [Notes.audit("\(index)")]))
        }
      }
      #expect(failures.keys.sorted() == [7, 8, 9])
      #expect(failures[7] is Refused)
      #expect(failures[9] as? StorageError == .contention)
      #expect(database.statistics.writes - before.writes == 37)
      #expect(database.statistics.commits - before.commits == 1)
      #expect(try await database.read(Notes.count) == 37)
      #expect(try await database.verifyAudit().rows == 37)
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  @Test("a group does not exceed its limit, and whoever came first is stored first")
  func groupBound() async throws {
    var options = SQLiteOptions()
    options.writesPerCommit = 10
    try await with(options) { database, _ in
      let before = database.statistics
      let failures = try await behindBlocker(database, count: 35) { index in
        // The failure of one changes nobody's turn.
        let note = Notes.insert(index == 17 ? "0" : "\(index)")
        try await database.write(
          Commit(at: now, statements: [note], events: [Notes.event("\(index)")]))
      }
      #expect(failures.keys.sorted() == [17])
      #expect(database.statistics.commits - before.commits == 4)
      let events = try await database.feed(after: .start)
      #expect(events.map(\.entity) == (0..<35).filter { $0 != 17 }.map { "notes/\($0)" })
    }
  }

  @Test("a commit with many rows accepts no further write")
  func rowBound() async throws {
    var options = SQLiteOptions()
    options.rowsPerCommit = 6
    try await with(options) { database, _ in
      let before = database.statistics
      let failures = try await behindBlocker(database, count: 9) { index in
        let notes = (0..<3).map { Notes.insert("\(index) \($0)") }
        try await database.write(Commit(at: now, statements: notes))
      }
      #expect(failures.isEmpty)
      #expect(database.statistics.commits - before.commits == 5)
      #expect(try await database.read(Notes.count) == 27)
    }
  }

  @Test("one write too many is refused at once, and the others succeed")
  func bounded() async throws {
    var options = SQLiteOptions()
    options.waitingWrites = 5
    try await with(options) { database, _ in
      let failures = try await behindBlocker(database, count: 5) { index in
        try await Self.insert(database, "\(index)")
      } held: { _ in
        await #expect(throws: StorageError.busy) { try await Self.insert(database, "too many") }
      }
      #expect(failures.isEmpty)
      let count = try await database.read(Notes.count)
      #expect(count == 5)
    }
  }

  @Test("a cancelled caller's waiting write is dropped, its neighbors are not")
  func cancelledWhileWaiting() async throws {
    try await with { database, _ in
      let failures = try await behindBlocker(database, count: 3) { index in
        try await Self.insert(database, "\(index)")
      } held: { tasks in
        tasks[1].cancel()
      }
      #expect(failures.keys.sorted() == [1])
      #expect(failures[1] is CancellationError)
      let count = try await database.read(Notes.count)
      #expect(count == 2)
    }
  }

  /// A query that runs for minutes.
  private static let endless = Query<Int>.one(
    """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
    SELECT count(*) AS count FROM n
    """
  ) { try $0.int("count") }

  @Test("a canceled read ends, and its reader is free for others")
  func canceledReads() async throws {
    var options = SQLiteOptions()
    options.readers = 2
    try await with(options) { database, _ in
      for _ in 0..<2 {
        let slow = (0..<2).map { _ in Task { try await database.read(Self.endless, Notes.count) } }
        // Time itself is meant, since nothing tells that both have started.
        try await Task.sleep(for: .milliseconds(20))
        for task in slow { task.cancel() }
        for task in slow {
          await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(try await database.read(Notes.count) == 0)
      }
    }
  }

  private func logBytes(of store: TestStore) throws -> Int {
    let path = "\(store.path)-wal"
    return try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
  }

  @Test("single writes overwrite the WAL instead of making it longer")
  func idleLog() async throws {
    try await with { database, store in
      var bytes: [Int] = []
      for index in 1...1_100 {
        try await Self.insert(database, "\(index)")
        if index % 550 == 0 { bytes.append(try logBytes(of: store)) }
      }
      #expect(bytes[1] < bytes[0] * 3 / 2)
    }
  }

  @Test("the WAL stays bounded under reads that overlap, and under one that does not end")
  func logBound() async throws {
    var options = SQLiteOptions()
    options.logBytes = 20 << 20
    try await with(options) { database, store in
      let brief = Query<Int>.one(
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT count(*) + (SELECT count(*) FROM note) AS count FROM n
        """
      ) { try $0.int("count") }
      let readers = (0..<3).map { _ in
        Task { while !Task.isCancelled { _ = try? await database.read(brief) } }
      }
      func write(megabytes: Int) async throws {
        for index in 0..<megabytes {
          // Other bytes each time: SQLite does not write pages that are the same.
          let byte = UInt8(truncatingIfNeeded: index)
          var commit = Commit(at: now)
          commit.run(
            "INSERT INTO note (id, body, version, data) VALUES ('a', 'a', 1, ?1) "
              + "ON CONFLICT (id) DO UPDATE SET data = excluded.data, version = note.version + 1",
            [[UInt8](repeating: byte, count: 1 << 20)])
          try await database.write(commit)
        }
      }
      try await write(megabytes: 120)
      #expect(try logBytes(of: store) < 60 << 20)
      let endless = Task { try await database.read(Notes.count, Self.endless) }
      // Time itself is meant, since nothing tells that it has its snapshot.
      try await Task.sleep(for: .milliseconds(20))
      try await write(megabytes: 160)
      await #expect(throws: StorageError.busy) { try await endless.value }
      #expect(try logBytes(of: store) < 120 << 20)
      for reader in readers { reader.cancel() }
      for reader in readers { await reader.value }
    }
  }

  @Test("the WAL stays bounded under commits that are larger than what is checkpointed at a time")
  func logBoundOfLargeCommits() async throws {
    var options = SQLiteOptions()
    options.logBytes = 20 << 20
    try await with(options) { database, store in
      for index in 0..<20 {
        var commit = Commit(at: now)
        for note in 0..<17 {
          commit.run(
            "INSERT INTO note (id, body, version, data) VALUES (?1, ?1, 1, ?2) "
              + "ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            ["\(note)", [UInt8](repeating: UInt8(index), count: 1 << 20)])
        }
        try await database.write(commit)
      }
      let file = try FileManager.default.attributesOfItem(atPath: "\(store.path)-wal")
      #expect(try #require(file[.size] as? Int) < 60 << 20)
    }
  }

  @Test("close completes the waiting writes and refuses later ones")
  func closing() async throws {
    try await with { database, store in
      let failures = try await behindBlocker(database, count: 20) { index in
        try await Self.insert(database, "\(index)")
      } held: { _ in
        Task { await database.close() }
        // Closing has begun once reads are refused; the writer is still blocked.
        try await eventually {
          do {
            _ = try await database.read(Notes.count)
            return false
          } catch StorageError.closed {
            return true
          }
        }
      }
      #expect(failures.isEmpty)
      await database.close()
      await #expect(throws: StorageError.closed) { try await database.read(Notes.count) }
      await #expect(throws: StorageError.closed) { try await database.write(Commit(at: now)) }
      try await store.withNotes { (database) async throws in
        #expect(try await database.read(Notes.count) == 20)
      }
    }
  }

  @Test("a file has one owner, and another may open it after a close")
  func locked() async throws {
    try await with { _, store in
      let error = await #expect(throws: StorageError.self) {
        try await SQLiteDatabase.open(url: store.url)
      }
      guard case .locked = error else {
        Issue.record("\(String(describing: error)) isn't about the lock")
        return
      }
      #expect(error?.debugDetail?.contains("\(ProcessInfo.processInfo.processIdentifier)") == true)
    }
    try await Engine.sqlite.withStore { (store) async throws in
      try await store.withNotes { _ in }
      try await store.withNotes { _ in }
    }
  }

  @Test("invalid addresses and files of other formats are refused")
  func addresses() async throws {
    for url in ["", "sqlite:", "sqlite::memory:", "postgres://x", "/tmp/x", "sqlite://x/y"] {
      let error = await #expect(throws: StorageError.self) {
        try await SQLiteDatabase.open(url: url)
      }
      if case .address = error { continue }
      Issue.record("\(url) gave \(String(describing: error))")
    }
    try await Engine.sqlite.withStore { (store) async throws in
      await #expect(throws: StorageError.self) {
        try await SQLiteDatabase.open(url: "sqlite:\(store.folder.path)/absent/x.db")
      }
      try Data(repeating: 65, count: 8_192).write(to: URL(filePath: store.path))
      let error = await #expect(throws: StorageError.self) { try await store.open() }
      if case .corrupt = error { return }
      Issue.record("a file that is no store gave \(String(describing: error))")
    }
  }

  @Test("a full disk refuses the write that is too large, and free space allows it")
  func full() async throws {
    try await with { (database, store) async throws in
      let pages = try await database.read(
        Query<Int>.one("SELECT page_count AS pages FROM pragma_page_count") { try $0.int("pages") })
      let limit = Migration("0002 limit", sql: "PRAGMA max_page_count = \(pages + 8)")
      try await database.migrate(Notes.migrations + [limit])
      let large = Statement(
        "INSERT INTO note (id, body, version, data) VALUES ('large', 'l', 1, zeroblob(100000))")
      let failures = try await behindBlocker(database, count: 9) { (index) async throws in
        let statement = index == 4 ? large : Notes.insert("\(index)")
        try await database.write(
          Commit(at: now, statements: [statement], audit: [Notes.audit("\(index)")]))
      }
      #expect(failures.keys.sorted() == [4])
      guard case .full = failures[4] as? StorageError else {
        Issue.record("\(String(describing: failures[4])) isn't about space")
        return
      }
      #expect(try await database.verifyAudit().rows == 8)
      let room = Migration("0003 room", sql: "PRAGMA max_page_count = 100000")
      try await database.migrate(Notes.migrations + [limit, room])
      try await database.write(Commit(at: now, statements: [large]))
      #expect(try await database.verifyAudit().isIntact)
    }
  }

  @Test("after a failed commit nothing is acknowledged until the store is opened again")
  func failedCommit() async throws {
    let fault = Fault()
    var options = SQLiteOptions()
    options.commitFault = { try fault.check() }
    try await with(options) { (database, store) async throws in
      try await database.write(Commit(at: now, statements: [Notes.insert("kept")]))
      let broken = StorageError.io(.init("fsync"))
      fault.set(broken)
      let failures = try await behindBlocker(database, count: 5) { (index) async throws in
        try await database.write(Commit(at: now, statements: [Notes.insert("\(index)")]))
      }
      #expect(
        failures.values.compactMap { $0 as? StorageError } == Array(repeating: broken, count: 5))
      fault.set(nil)
      await #expect(throws: broken) {
        try await database.write(Commit(at: now, statements: [Notes.insert("later")]))
      }
      await #expect(throws: broken) { try await database.read(Notes.count) }
      await #expect(throws: broken) { for try await _ in database.follow(after: .start) {} }
      await database.close()
      try await store.withNotes { (database) async throws in
        #expect(try await database.read(Notes.count) == 1)
      }
    }
  }

  @Test("a slow reader delays neither the writer nor other readers")
  func slowReader() async throws {
    try await with { database, _ in
      let gate = DispatchSemaphore(value: 0)
      let reached = Counter()
      let slow = Task {
        try await database.read(
          Notes.count,
          Query<Int>("SELECT count(*) AS count FROM note") { rows in
            reached.next()
            gate.wait()
            return try rows[0].int("count")
          }, Notes.count)
      }
      try await eventually { reached.value == 1 }
      for index in 0..<2_000 {
        try await database.write(
          Commit(at: now, statements: [Notes.insert("\(index)", body: "\(index)")]))
      }
      #expect(try await database.read(Notes.count) == 2_000)
      gate.signal()
      #expect(try await slow.value == (0, 0, 0), "its snapshot stayed what it was")
    }
  }

  @Test("a text with NUL, which PostgreSQL could not store, is refused")
  func nul() async throws {
    try await with { database, _ in
      await #expect(throws: StorageError.self) { try await Self.insert(database, "a\0b") }
      await #expect(throws: StorageError.self) {
        try await database.write(
          Commit(
            at: now, statements: [Statement("DELETE FROM note; DELETE FROM tag")]))
      }
    }
  }

  @Test("a query without a limit is refused")
  func unbounded() async throws {
    try await with { database, _ in
      let query = Query<Int>(
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        SELECT i FROM n
        """, [Limits.rowsPerQuery + 1]
      ) { $0.count }
      await #expect(throws: StorageError.limit("rows per query")) { try await database.read(query) }
    }
  }
}

/// The error with which commits fail, set by a test.
// Guard: `error` is accessed with `lock` held only.
final class Fault: @unchecked Sendable {
  private let lock = NSLock()
  private var error: StorageError?

  func set(_ error: StorageError?) {
    lock.withLock { self.error = error }
  }

  func check() throws {
    if let error = lock.withLock({ error }) { throw error }
  }
}
