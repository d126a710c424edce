package import Dispatch
internal import Foundation

/// Dedicated threads for blocking work, which the cooperative pool must not run.
package enum EngineThread {
  /// 8 MiB, as of the main thread: the decisions of writes decode nested messages. On PostgreSQL
  /// the first stage of a lone write may run on its caller's stack instead.
  private static let stackBytes = 8 << 20

  /// Starts a thread and waits until its body calls `started`; throws the body's error if it fails
  /// before that. The group is entered before the thread starts and left when it ends.
  package static func start(
    _ name: String, leaving group: DispatchGroup,
    _ body: @escaping @Sendable (_ started: () -> Void) throws -> Void
  ) async throws {
    group.enter()
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      let thread = Thread {
        var hasStarted = false
        do {
          try body {
            hasStarted = true
            continuation.resume()
          }
        } catch {
          if !hasStarted { continuation.resume(throwing: error) }
        }
        group.leave()
      }
      thread.name = name
      thread.stackSize = EngineThread.stackBytes
      thread.start()
    }
  }
}
