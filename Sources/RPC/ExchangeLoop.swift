/// The thread a connection and everything on it is confined to, as an executor of tasks.
///
/// Handlers run as tasks that prefer it, so a call that only computes hops nowhere.
package protocol ExchangeLoop: TaskExecutor {
  /// Whether the caller runs on this loop.
  var isCurrent: Bool { get }

  /// Runs it on the loop, soon.
  func execute(_ body: @escaping @Sendable () -> Void)

  /// Runs it on the loop after that time, unless it is cancelled before.
  func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void)
    -> any ScheduledWork

  /// A cache with one entry, for code that runs on this loop; a new user overwrites the entry. On
  /// the loop only.
  var kept: (any AnyObject & Sendable)? { get set }

  /// Tasks kept for handlers; without them each call has a task of its own.
  var workers: CallWorkers? { get }
}

extension ExchangeLoop {
  package var workers: CallWorkers? { nil }
}

/// Work that waits for its time.
package protocol ScheduledWork: Sendable {
  /// Prevents it, if it has not begun. From any thread.
  func cancel()
}
