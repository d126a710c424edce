internal import Dispatch
internal import Foundation
public import Storage
internal import Synchronization

/// A store in one schema of a PostgreSQL database, shared by replicas of its service.
///
/// One connection writes, in groups of waiting writes with one durable commit each; others read.
/// All are driven by one thread of the engine's own, in pipeline mode; no thread waits for a call.
/// A lost connection is made again by itself, to whichever host of the URL takes writes.
///
/// A cancelled call (its deadline passed) is answered at once where it waits or reads, and what the
/// server runs for it is ended. A write whose transaction has begun is finished.
public final class PostgresDatabase: Storage.Database {
  private let engine: Engine
  /// Left by the engine's thread.
  private let closed: DispatchGroup

  private init(_ engine: Engine, closed: DispatchGroup) {
    self.engine = engine
    self.closed = closed
  }

  deinit {
    // A store that was dropped without `close` still finishes what waits.
    engine.close()
  }

  /// Opens the store and makes its own tables.
  ///
  /// - Parameter url: `postgres://user@host1:port,host2:port/database?…` with libpq's parameters;
  ///   `options=-csearch_path%3Dmembers` names a schema, which is made where it is missing. Of
  ///   several hosts, the one that takes writes is used; `sslmode=verify-full&sslrootcert=FILE`
  ///   asks for TLS.
  /// - Throws: `StorageError.address`, `.unreachable`, `.newerSchema`, `.changedMigration`.
  public static func open(
    url: String, options: PostgresOptions = PostgresOptions()
  ) async throws -> PostgresDatabase {
    guard ["postgres://", "postgresql://"].contains(where: url.hasPrefix) else {
      throw StorageError.address(.init("not postgres://…"))
    }
    try await patiently("prepare", options) {
      try PostgresMigrator(url: url, options: options).prepare()
    }
    let engine = try Engine(url: url, options: options)
    let closed = DispatchGroup()
    try await EngineThread.start("postgres", leaving: closed) { started in
      started()
      EngineLoop(engine).run()
    }
    return PostgresDatabase(engine, closed: closed)
  }

  public var dialect: SQLDialect { .postgres }

  public var statistics: WriterStatistics {
    var statistics = engine.statistics.withLock { $0 }
    statistics.waiting = engine.waitingWrites
    return statistics
  }

  public func read(all queries: [AnyQuery]) async throws -> ReadResults {
    if queries.isEmpty { return ReadResults([]) }
    let call = PendingRead()
    return try await withTaskCancellationHandler {
      try Task.checkCancellation()
      return try await withCheckedThrowingContinuation { continuation in
        let job = ReadJob(queries, arrival: .now) { continuation.resume(with: $0) }
        do {
          try engine.submit(.read(job))
        } catch {
          return job.fail(error)
        }
        // Cancelled before there was a job to forget.
        if call.begin(job) { engine.post(.forget(job)) }
      }
    } onCancel: {
      if let job = call.cancel() { engine.post(.forget(job)) }
    }
  }

  public func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await PendingWrite(step).submit(to: engine)
  }

  public func feedChanges() -> AsyncStream<Void> {
    engine.signal.wakes()
  }

  /// - Throws: `StorageError.unfinishedMove` besides.
  public func migrate(_ migrations: [Migration]) async throws {
    let migrator = PostgresMigrator(url: engine.url, options: engine.options)
    try await Self.patiently("migrate", engine.options) { try migrator.migrate(migrations) }
  }

  /// None: the server looks after its disks, and a lost one is connected to again.
  public func failure() async -> StorageError? { nil }

  public func close() async {
    engine.close()
    await withCheckedContinuation { continuation in
      closed.notify(queue: .global()) { continuation.resume() }
    }
  }

  /// Runs what blocks on a thread of its own, again for as long as the server can't be reached and
  /// may yet come back.
  private static func patiently(
    _ name: String, _ options: PostgresOptions, _ body: @escaping @Sendable () throws -> Void
  ) async throws {
    let end = ContinuousClock.now + options.openMax
    while true {
      do {
        return try await EngineThread.start("postgres \(name)", leaving: DispatchGroup()) { done in
          try body()
          done()
        }
      } catch let error as StorageError {
        guard case .unreachable = error, ContinuousClock.now < end else { throw error }
        // Time itself is meant: nobody tells when the server is back.
        try await Task.sleep(for: .milliseconds(250))
      }
    }
  }
}

/// The meeting of a read's job with the cancellation of its task, which may come first.
private final class PendingRead: Sendable {
  private let state = Mutex<(job: ReadJob?, isCancelled: Bool)>((nil, false))

  /// - Returns: whether the task was cancelled before.
  func begin(_ job: ReadJob) -> Bool {
    state.withLock { state in
      state.job = job
      return state.isCancelled
    }
  }

  /// - Returns: the job to forget, where there is one by now.
  func cancel() -> ReadJob? {
    state.withLock { state in
      state.isCancelled = true
      return state.job
    }
  }
}
