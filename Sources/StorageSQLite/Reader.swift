internal import Storage
internal import Synchronization

/// A queued read.
// Guard: `continuation` is set before the job is submitted, then touched by only one reader thread.
final class PendingRead: @unchecked Sendable {
  private let queries: [AnyQuery]
  private let cancelled = Atomic(false)
  // Set to `nil` by the first completion.
  private var continuation: UnsafeContinuation<ReadResults, any Error>?

  init(_ queries: [AnyQuery]) {
    self.queries = queries
  }

  /// Submits the read to the queue and waits for its completion.
  func submit(to queue: WorkQueue<PendingRead>) async throws -> ReadResults {
    try await withTaskCancellationHandler {
      try Task.checkCancellation()
      return try await withUnsafeThrowingContinuation { continuation in
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
  }

  /// Executes the queries on one snapshot and completes the read.
  func run(on connection: SQLiteConnection) {
    if cancelled.load(ordering: .relaxed) { return finish(throwing: CancellationError()) }
    do {
      let results = try read(connection)
      continuation?.resume(returning: results)
      continuation = nil
    } catch {
      finish(throwing: error)
    }
  }

  private func read(_ connection: SQLiteConnection) throws -> ReadResults {
    // A single statement has a snapshot of its own.
    if queries.count == 1 { return try connection.read(queries) }
    try connection.run("BEGIN DEFERRED")
    defer { connection.rollBack() }
    return try connection.read(queries)
  }

  func finish(throwing error: any Error) {
    continuation?.resume(throwing: error)
    continuation = nil
  }
}
