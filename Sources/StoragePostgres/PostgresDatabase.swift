internal import Dispatch
internal import Foundation
public import Storage
internal import Synchronization

/// A store in one schema of a PostgreSQL database, shared by the replicas of its service.
///
/// One connection writes, in groups of queued writes with one durable commit each; the others read.
/// All are driven in pipeline mode by one thread of the engine; no thread blocks per call. A lost
/// connection is reestablished automatically, to whichever host of the URL accepts writes.
///
/// A canceled call (e.g. past its deadline) is answered at once while it is queued or reading, and
/// its query is canceled on the server. A write whose transaction has started is completed.
public final class PostgresDatabase: Storage.Database {
  private let engine: Engine
  /// Left when the engine's thread ends.
  private let closed: DispatchGroup

  private init(_ engine: Engine, closed: DispatchGroup) {
    self.engine = engine
    self.closed = closed
  }

  deinit {
    // A store released without `close` still completes its queued calls.
    engine.close()
  }

  /// Opens the store and creates the engine-owned tables.
  ///
  /// - Parameter url: `postgres://user@host1:port,host2:port/database?…` with libpq's parameters;
  ///   `options=-csearch_path%3Dmembers` names a schema, which is created if missing. Of several
  ///   hosts the writable one is used; `sslmode=verify-full&sslrootcert=FILE` requires TLS.
  /// - Throws: `StorageError.address`, `.unreachable`, `.newerSchema`, `.olderSchema`,
  ///   `.changedMigration`.
  public static func open(
    url: String, options: PostgresOptions = PostgresOptions()
  ) async throws -> PostgresDatabase {
    guard ["postgres://", "postgresql://"].contains(where: url.hasPrefix) else {
      throw StorageError.address(.init("not postgres://…"))
    }
    try PostgresLink.check(url)
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

  public nonisolated(nonsending) func read(all queries: [AnyQuery]) async throws -> ReadResults {
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
        // The task was canceled before there was a job to forget.
        if call.begin(job) { engine.post(.forget(job)) }
      }
    } onCancel: {
      if let job = call.cancel() { engine.post(.forget(job)) }
    }
  }

  public nonisolated(nonsending) func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    try await PendingWrite(step).submit(to: engine)
  }

  public func feedChanges() -> AsyncStream<Void> {
    engine.signal.wakes()
  }

  public func migrate(_ migrations: [Migration]) async throws {
    let migrator = PostgresMigrator(url: engine.url, options: engine.options)
    try await Self.patiently("migrate", engine.options) { try migrator.migrate(migrations) }
  }

  /// Executes them on a connection without limits of time, in one transaction, under the store's
  /// lock. Repeats them for a while if the server is away, also where the connection was lost
  /// during the commit.
  public func alter(
    _ statements: [Statement], then queries: [AnyQuery]
  ) async throws -> ReadResults {
    let migrator = PostgresMigrator(url: engine.url, options: engine.options)
    let box = ResultsBox()
    try await Self.patiently("alter", engine.options) {
      let results = try migrator.alter(statements, then: queries)
      box.results.withLock { $0 = results }
    }
    return box.results.withLock { $0 }
  }

  /// Returns `nil`: the server monitors its own disks, and lost connections are reestablished.
  public func failure() async -> StorageError? { nil }

  public func close() async {
    engine.close()
    await withCheckedContinuation { continuation in
      closed.notify(queue: .global()) { continuation.resume() }
    }
  }

  /// Runs a blocking closure on a thread of its own, and retries until `openMax` while the server
  /// is unreachable, which it tells once.
  private static func patiently(
    _ name: String, _ options: PostgresOptions, _ body: @escaping @Sendable () throws -> Void
  ) async throws {
    let end = ContinuousClock.now + options.openMax
    var isWaiting = false
    while true {
      do {
        return try await EngineThread.start("postgres \(name)", leaving: DispatchGroup()) { done in
          try body()
          done()
        }
      } catch let error as StorageError {
        guard case .unreachable = error, ContinuousClock.now < end else { throw error }
        if !isWaiting { options.waits(error) }
        isWaiting = true
        // Polls, because nothing signals that the server is back.
        try await Task.sleep(for: .milliseconds(250))
      }
    }
  }
}

/// The results of a closure that ran on another thread.
private final class ResultsBox: Sendable {
  let results = Mutex(ReadResults([]))
}

/// Synchronizes the start of a read job with the cancellation of its task, which may come first.
private final class PendingRead: Sendable {
  private let state = Mutex<(job: ReadJob?, isCancelled: Bool)>((nil, false))

  /// - Returns: Whether the task was canceled before.
  func begin(_ job: ReadJob) -> Bool {
    state.withLock { state in
      state.job = job
      return state.isCancelled
    }
  }

  /// - Returns: The job to forget, or `nil` if there is none yet.
  func cancel() -> ReadJob? {
    state.withLock { state in
      state.isCancelled = true
      return state.job
    }
  }
}
