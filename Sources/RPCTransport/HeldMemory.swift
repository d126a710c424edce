internal import Synchronization

/// The memory of incomplete messages over all connections of a server, which is limited beside that
/// of each connection: a hundred of them could hold a hundred times as much.
///
/// Safe to use from any thread. A connection counts what it holds in steps, so that most messages
/// cost nothing here.
final class HeldMemory: Sendable {
  /// The bytes of a step. A connection that holds less is not counted, nor refused.
  static let stepBytes = 64 << 10

  private let steps = Atomic<Int>(0)
  private let stepsMax: Int

  init(bytesMax: Int) { stepsMax = bytesMax / Self.stepBytes }

  /// Whether there is no room for more.
  var isFull: Bool { steps.load(ordering: .relaxed) > stepsMax }

  func add(_ more: Int) { steps.add(more, ordering: .relaxed) }
}
