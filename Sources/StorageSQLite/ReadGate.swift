internal import Foundation
internal import Synchronization

/// Lets the writer hold back the readers while it checkpoints a long WAL. Safe to call from any
/// thread; `enter` and `hold` block and are reserved to the engine's own threads.
// Guard: every mutable property except for the atomic is accessed only under the lock of
// `condition`.
final class ReadGate: @unchecked Sendable {
  /// The longest time for which the writer waits for running reads.
  private static let patience: TimeInterval = 0.05
  /// The same for reads that were told to end.
  private static let patienceEnding: TimeInterval = 1

  private let condition = NSCondition()
  private var running = 0
  private var isHeld = false
  private let isEnding = Atomic(false)

  /// Whether running reads must end.
  var endsReads: Bool { isEnding.load(ordering: .relaxed) }

  /// Begins a read; waits while reads are held.
  func enter() {
    condition.lock()
    defer { condition.unlock() }
    while isHeld { condition.wait() }
    running += 1
  }

  /// Ends a read.
  func leave() {
    condition.lock()
    defer { condition.unlock() }
    running -= 1
    if isHeld && running == 0 { condition.broadcast() }
  }

  /// Holds new reads and waits some time for the running ones.
  ///
  /// - Parameter ending: Whether the running ones must end.
  func hold(ending: Bool) {
    condition.lock()
    defer { condition.unlock() }
    isHeld = true
    isEnding.store(ending, ordering: .relaxed)
    let end = Date(timeIntervalSinceNow: ending ? Self.patienceEnding : Self.patience)
    while running > 0, condition.wait(until: end) {}
  }

  /// Lets reads run again.
  func release() {
    condition.lock()
    defer { condition.unlock() }
    guard isHeld else { return }
    isHeld = false
    isEnding.store(false, ordering: .relaxed)
    condition.broadcast()
  }
}
