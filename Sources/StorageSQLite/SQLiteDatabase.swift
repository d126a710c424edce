internal import Dispatch
internal import Foundation
internal import GRDB
public import Storage
internal import Synchronization

/// A store in one SQLite file, owned by this process.
///
/// One connection writes on a thread of its own, in groups of queued writes with one durable commit
/// each. Others read concurrently, each on its own thread. No thread of the cooperative pool is
/// blocked.
public final class SQLiteDatabase: Storage.Database {
  let file: SQLiteFile
  private let shared: Writer.Shared
  /// Left by the writer's thread once everything is closed.
  private let closed: DispatchGroup

  private init(_ file: SQLiteFile, _ shared: Writer.Shared, closed: DispatchGroup) {
    self.file = file
    self.shared = shared
    self.closed = closed
  }

  deinit {
    // A store released without `close` still completes its queued calls.
    shared.end(.closed)
  }

  /// Opens the store and creates the engine-owned tables; a missing file is created (mode 0600).
  ///
  /// - Parameter url: `sqlite:PATH`.
  /// - Throws: `StorageError.locked` if the store is already open, in another process or in this
  ///   one; `.address`, `.io`, `.corrupt`, `.newerSchema`, `.olderSchema`.
  public static func open(
    url: String, options: SQLiteOptions = SQLiteOptions()
  ) async throws -> SQLiteDatabase {
    let file = try SQLiteFile(url: url)
    let shared = Writer.Shared(options)
    let closed = DispatchGroup()
    let readers = DispatchGroup()
    try await EngineThread.start("\(url) writer", leaving: closed) { started in
      try SQLiteEngine.write(file, shared, options, readers: readers, started)
    }
    let database = SQLiteDatabase(file, shared, closed: closed)
    do {
      for index in 0..<max(1, options.readers) {
        try await EngineThread.start("\(url) reader \(index)", leaving: readers) { started in
          try SQLiteEngine.read(file, shared, started)
        }
      }
    } catch {
      await database.close()
      throw error
    }
    return database
  }

  public var dialect: SQLDialect { .sqlite }

  public var statistics: WriterStatistics {
    var statistics = shared.statistics.withLock { $0 }
    statistics.waiting = shared.writes.count
    return statistics
  }

  public nonisolated(nonsending) func read(all queries: [AnyQuery]) async throws -> ReadResults {
    try await PendingRead(queries).submit(to: shared.reads)
  }

  public nonisolated(nonsending) func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await PendingWrite(step).submit(to: shared.writes)
  }

  public nonisolated(nonsending) func writeLarge<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    var next = try step()
    for _ in 0...Limits.phasesPerWrite {
      switch next {
      case .phase(let queries, let decide): next = try decide(try await read(all: queries))
      case .commit: return try await PendingWrite(step, decided: next).submit(to: shared.writes)
      case .reply(let reply): return reply
      }
    }
    throw StorageError.limit("read phases per write")
  }

  public func feedChanges() -> AsyncStream<Void> {
    shared.signal.wakes()
  }

  public func migrate(_ migrations: [Migration]) async throws {
    let work = MigrationRun(component: .service, migrations: migrations, time: .now)
    try await PendingMigration(work).submit(to: shared.writes)
  }

  public func failure() async -> StorageError? {
    for await _ in shared.ending.wakes() {}
    return shared.failure.withLock { $0 }
  }

  public func close() async {
    shared.end(.closed)
    await withCheckedContinuation { continuation in
      closed.notify(queue: .global()) { continuation.resume() }
    }
  }
}

/// The bodies of the engine's threads.
enum SQLiteEngine {
  /// Runs the writer's thread: locks the file, opens the write connection, creates the engine-owned
  /// tables, and writes until the queue ends. It closes last, because the last connection to close
  /// checkpoints.
  static func write(
    _ file: SQLiteFile, _ shared: Writer.Shared, _ options: SQLiteOptions,
    readers: DispatchGroup, _ started: () -> Void
  ) throws {
    let lock = try FileLock(path: file.lockPath)
    defer { withExtendedLifetime(lock) {} }
    let queue = try file.openWriter(logBytes: options.logBytes)
    try queue.inDatabase { database in
      let connection = try SQLiteConnection(database)
      if options.prepares { try prepare(connection) } else { try requireStore(connection) }
      let writer = Writer(try WriterSession(connection, options), shared, options)
      started()
      writer.run()
    }
    readers.wait()
    try? queue.close()
  }

  /// Runs a reader's thread until the queue ends.
  static func read(
    _ file: SQLiteFile, _ shared: Writer.Shared, _ started: () -> Void
  ) throws {
    let queue = try file.openReader()
    try queue.inDatabase { database in
      let connection = try SQLiteConnection(database)
      started()
      while let job = shared.reads.take(1).first {
        job.run(on: connection, through: shared.gate)
      }
    }
    try? queue.close()
  }

  /// - Throws: `StorageError.address` where the file holds no store, `.olderSchema`.
  private static func requireStore(_ connection: SQLiteConnection) throws {
    let tables = try connection.rows(
      "SELECT name FROM sqlite_master WHERE name = 'storage_migration'", [])
    guard !tables.isEmpty else {
      throw StorageError.address(.init("this file holds no store, which a service makes"))
    }
    let query = StorageSchema.applied(.storage)
    let applied = try query.decode(try connection.rows(query.sql, query.arguments))
    try Migration.requireAll(of: StorageSchema.migrations, in: applied)
  }

  /// Creates the engine-owned tables and the epoch of the store's feed.
  private static func prepare(_ connection: SQLiteConnection) throws {
    try connection.run("BEGIN IMMEDIATE")
    do {
      try connection.run(StorageSchema.migrationTable)
      try MigrationRun.apply(.storage, StorageSchema.migrations, on: connection, at: .now)
      try connection.run(
        """
        INSERT INTO storage_meta (name, value) VALUES ('epoch', ?1) ON CONFLICT (name) DO NOTHING
        """, [.integer(Int64.random(in: 1...Int64.max))])
      try connection.run("COMMIT")
    } catch {
      connection.rollBack()
      throw error
    }
  }
}
