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
  nonisolated(nonsending) func submit(
    to queue: WorkQueue<PendingRead>
  ) async throws -> ReadResults {
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

  /// Executes the queries on one snapshot and completes the read. Ends early if its task is
  /// canceled, or, as `StorageError.busy`, if the gate demands it.
  func run(on connection: SQLiteConnection, through gate: ReadGate) {
    if cancelled.load(ordering: .relaxed) { return finish(throwing: CancellationError()) }
    gate.enter()
    let result = Result { try read(connection, gate) }
    gate.leave()
    switch result {
    case .success(let results):
      continuation?.resume(returning: results)
      continuation = nil
    case .failure(let error):
      finish(throwing: cancelled.load(ordering: .relaxed) ? CancellationError() : error)
    }
  }

  private func read(_ connection: SQLiteConnection, _ gate: ReadGate) throws -> ReadResults {
    // A single statement has a snapshot of its own.
    if queries.count > 1 { try connection.run("BEGIN DEFERRED") }
    defer { connection.rollBack() }
    return try connection.endingEarly {
      self.cancelled.load(ordering: .relaxed) || gate.endsReads
    } _: {
      try connection.read(queries)
    }
  }

  func finish(throwing error: any Error) {
    continuation?.resume(throwing: error)
    continuation = nil
  }
}
