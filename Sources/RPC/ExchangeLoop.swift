/// The event loop that a connection and everything on it is confined to, as a task executor.
///
/// Handlers run as tasks that prefer it, so a call that only computes switches no thread.
package protocol ExchangeLoop: TaskExecutor {
  /// Whether the caller runs on this loop.
  var isCurrent: Bool { get }

  /// Runs `body` on the loop soon. Safe to call from any thread.
  func execute(_ body: @escaping @Sendable () -> Void)

  /// Runs `body` on the loop after `delay`, unless it is cancelled before.
  func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void)
    -> any ScheduledWork

  /// A cache with one entry, for code that runs on this loop; a new user overwrites the entry. On
  /// the loop only.
  var kept: (any AnyObject & Sendable)? { get set }

  /// When the next part of a large message may be decompressed. On the loop only.
  var decompressionPace: DecompressionPace { get }

  /// Runs work that takes a millisecond or more on another thread, and returns to the loop.
  nonisolated(nonsending) func offload<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result

  /// The pool of tasks for handlers; without it, each call gets a task of its own.
  var workers: CallWorkers? { get }
}

extension ExchangeLoop {
  /// Runs the work at once, for loops that nobody else waits for.
  package nonisolated(nonsending) func offload<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try work()
  }

  package var workers: CallWorkers? { nil }
}

/// Work that is scheduled for later.
package protocol ScheduledWork: Sendable {
  /// Cancels the work, unless it has begun. Safe to call from any thread.
  func cancel()
}
