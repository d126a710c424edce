package import Dispatch
internal import Foundation

/// Threads that may block, which cooperative ones must not.
package enum EngineThread {
  /// As a main thread has: decisions decode messages, which nest.
  private static let stackBytes = 8 << 20

  /// Starts a thread and waits until its body says that it has started, or throws what it threw
  /// before that. The group is entered now and left at the thread's end.
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
