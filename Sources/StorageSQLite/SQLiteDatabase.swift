internal import Dispatch
internal import Foundation
internal import GRDB
public import Storage
internal import Synchronization

/// A store in one SQLite file, owned by this process.
///
/// One connection writes, on its own thread, in groups of waiting writes with one durable commit
/// each; others read beside it, on theirs. No cooperative thread is ever blocked.
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
    // A store that was dropped without `close` still finishes what waits.
    shared.end(.closed)
  }

  /// Opens the store and makes its own tables; a file that isn't there is created (mode 0600).
  ///
  /// - Parameter url: `sqlite:PATH`.
  /// - Throws: `StorageError.locked` when another process (or this one) has it open, `.address`,
  ///   `.io`, `.corrupt`, `.newerSchema`.
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

  public func read(all queries: [AnyQuery]) async throws -> ReadResults {
    try await PendingRead(queries).submit(to: shared.reads)
  }

  public func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await PendingWrite(step).submit(to: shared.writes)
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

/// What the engine's threads do from start to end.
enum SQLiteEngine {
  /// Owns the file: lock, writing connection, own tables, then the writes until the queue ends. It
  /// closes last, since the last connection to close is the one that checkpoints.
  static func write(
    _ file: SQLiteFile, _ shared: Writer.Shared, _ options: SQLiteOptions,
    readers: DispatchGroup, _ started: () -> Void
  ) throws {
    let lock = try FileLock(path: file.lockPath)
    defer { withExtendedLifetime(lock) {} }
    let queue = try file.openWriter(logBytes: options.logBytes)
    try queue.inDatabase { database in
      let connection = try SQLiteConnection(database)
      try prepare(connection)
      let writer = Writer(try WriterSession(connection), shared, options)
      started()
      writer.run()
    }
    readers.wait()
    try? queue.close()
  }

  static func read(
    _ file: SQLiteFile, _ shared: Writer.Shared, _ started: () -> Void
  ) throws {
    let queue = try file.openReader()
    try queue.inDatabase { database in
      let connection = try SQLiteConnection(database)
      started()
      while let job = shared.reads.take(1).first { job.run(on: connection) }
    }
    try? queue.close()
  }

  /// The engine-owned tables, and the epoch of this store's history.
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
