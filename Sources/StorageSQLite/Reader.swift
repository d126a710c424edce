internal import Storage
internal import Synchronization

/// A read that waits for a reading connection.
// Sendable: `continuation` is set before the job is submitted and then touched by one reader only.
final class PendingRead: @unchecked Sendable {
  private let queries: [AnyQuery]
  private let cancelled = Atomic(false)
  // `finish` answers once.
  private var continuation: UnsafeContinuation<ReadResults, any Error>?

  init(_ queries: [AnyQuery]) {
    self.queries = queries
  }

  /// Submits itself and waits for the answer.
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

  /// Reads from one snapshot and answers.
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
    // One statement is a snapshot by itself.
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
