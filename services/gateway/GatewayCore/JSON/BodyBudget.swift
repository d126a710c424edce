import Synchronization

/// What all bodies together may take that are held until they are whole.
///
/// Safe to use from any task.
final class BodyBudget: Sendable {
  /// What is held of any caller's body before it is known who calls, in bytes. It does not count.
  static let freeBytes = 16 << 10
  /// Of the process, in bytes: 64 of the longest bodies at the same time.
  static let process = BodyBudget(bytesMax: 256 << 20)

  private let bytesMax: Int
  private let bytes = Atomic<Int>(0)

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// What is held now, in bytes.
  var held: Int { bytes.load(ordering: .relaxed) }

  /// One body's part, until nobody has it any more.
  final class Part: Sendable {
    private let budget: BodyBudget
    private let bytes = Atomic<Int>(0)

    init(of budget: BodyBudget) { self.budget = budget }

    /// - Throws: ``GatewayFailure/bodiesHeld`` where too much is held.
    func add(_ count: Int) throws(GatewayFailure) {
      bytes.add(count, ordering: .relaxed)
      let all = budget.bytes.add(count, ordering: .relaxed).newValue
      guard all <= budget.bytesMax else { throw .bodiesHeld }
    }

    deinit { budget.bytes.subtract(bytes.load(ordering: .relaxed), ordering: .relaxed) }
  }
}
