internal import Foundation
internal import Storage
internal import Synchronization

/// A queued write. Confined to the writer's thread, except for `isCancelled`.
protocol WriteJob: AnyObject, Sendable {
  /// Whether its caller is gone, so that it need not start.
  var isCancelled: Bool { get }
  /// Executes the write atomically within the group's transaction. May run again after a rollback.
  func run(in session: WriterSession) throws
  /// Completes the call, once: after the commit, or with an error.
  func finish(_ failure: (any Error)?)
}

/// The write of a caller.
// Guard: `continuation` is set before the job is submitted; from then on only the writer's thread
// touches it and `reply`, until it resumes the caller.
final class PendingWrite<Reply: Sendable>: WriteJob, @unchecked Sendable {
  private let step: @Sendable () throws -> Step<Reply>
  /// Returns what was decided outside of the transaction; `nil` once it proved to be outdated.
  private var decided: (@Sendable () -> Step<Reply>)?
  private let cancelled = Atomic(false)
  // Set to `nil` by the first `finish`.
  private var continuation: UnsafeContinuation<Void, any Error>?
  private var reply: Reply?
  private var attempts = 0

  /// - Parameter decided: The result of a decision outside of the transaction.
  init(_ step: @escaping @Sendable () throws -> Step<Reply>, decided: Step<Reply>? = nil) {
    self.step = step
    if let decided { self.decided = { decided } }
  }

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// Submits the write to the queue and waits for its completion.
  nonisolated(nonsending) func submit(to queue: WorkQueue<any WriteJob>) async throws -> Reply {
    try await withTaskCancellationHandler {
      try Task.checkCancellation()
      try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, _>) in
        self.continuation = continuation
        do {
          try queue.submit(self)
        } catch {
          self.continuation = nil
          continuation.resume(throwing: error)
        }
      }
    } onCancel: {
      cancelled.store(true, ordering: .relaxed)
    }
    guard let reply else { preconditionFailure("a write that didn't fail has its reply") }
    return reply
  }

  func run(in session: WriterSession) throws {
    while attempts < Limits.attemptsPerWrite {
      attempts += 1
      let (commit, reply) = try decide(with: session.connection)
      self.reply = reply
      guard let commit else { return }
      do {
        return try session.apply(commit)
      } catch is WriterSession.GuardFailed {
        decided = nil
      } catch StorageError.constraint(_) where decided != nil && session.connection.isInTransaction
      {
        // A concurrent write stored the row: deciding again sees it.
        decided = nil
      }
    }
    throw StorageError.contention
  }

  /// Executes the read phases and returns the commit, if any, and the reply.
  private func decide(with connection: SQLiteConnection) throws -> (Commit?, Reply) {
    var step = try decided?() ?? self.step()
    for _ in 0...Limits.phasesPerWrite {
      switch step {
      case .phase(let queries, let decide): step = try decide(try connection.read(queries))
      case .commit(let commit, let reply): return (commit, reply)
      case .reply(let reply): return (nil, reply)
      }
    }
    throw StorageError.limit("read phases per write")
  }

  func finish(_ failure: (any Error)?) {
    guard let continuation else { return }
    self.continuation = nil
    if let failure { continuation.resume(throwing: failure) } else { continuation.resume() }
  }
}

/// The pending migrations of a component, applied as a write.
struct MigrationRun: Sendable {
  let component: StorageSchema.Component
  let migrations: [Migration]
  let time: Date

  func run(in session: WriterSession) throws {
    try session.savepoint {
      let moving = StorageSchema.isMoving
      guard try !moving.decode(try session.connection.rows(moving.sql, moving.arguments)) else {
        throw StorageError.unfinishedMove
      }
      try MigrationRun.apply(component, migrations, on: session.connection, at: time)
    }
  }

  /// Applies the pending migrations inside a running transaction.
  static func apply(
    _ component: StorageSchema.Component, _ migrations: [Migration],
    on connection: SQLiteConnection, at time: Date
  ) throws {
    let query = StorageSchema.applied(component)
    let applied = try query.decode(try connection.rows(query.sql, query.arguments))
    let missing = try Migration.missing(of: migrations, after: applied)
    for (offset, migration) in missing.enumerated() {
      try connection.runScript(migration.sql)
      let statement = migration.remember(
        component, position: applied.count + offset, microseconds: time.microseconds)
      try connection.run(statement.sql, statement.arguments)
    }
  }
}

/// The queued migrations of a caller.
// Guard: `continuation` is set before the job is submitted, then touched by the writer's thread
// only.
final class PendingMigration: WriteJob, @unchecked Sendable {
  private let work: MigrationRun
  private var continuation: CheckedContinuation<Void, any Error>?

  init(_ work: MigrationRun) {
    self.work = work
  }

  var isCancelled: Bool { false }

  func submit(to queue: WorkQueue<any WriteJob>) async throws {
    try await withCheckedThrowingContinuation { continuation in
      self.continuation = continuation
      do {
        try queue.submit(self)
      } catch {
        self.continuation = nil
        continuation.resume(throwing: error)
      }
    }
  }

  func run(in session: WriterSession) throws {
    try work.run(in: session)
  }

  func finish(_ failure: (any Error)?) {
    guard let continuation else { return }
    self.continuation = nil
    if let failure { continuation.resume(throwing: failure) } else { continuation.resume() }
  }
}
