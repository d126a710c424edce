import RPC
import Synchronization

/// Bounds the memory of all request bodies that are buffered until they are complete.
///
/// Safe to use from any task.
final class BodyBudget: Sendable {
  /// Bytes of a body that are buffered before its caller is authenticated; they do not count.
  static let freeBytes = 16 << 10
  /// The budget of the process, in bytes: 64 bodies of the default limit of 4 MiB.
  static let process = BodyBudget(bytesMax: 256 << 20)

  private let bytesMax: Int
  private let bytes = Atomic<Int>(0)

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// Bytes that are buffered at the moment.
  var held: Int { bytes.load(ordering: .relaxed) }

  /// Counts the buffered bytes of a body towards the limits of its connection and its server.
  /// - Throws: ``GatewayFailure/bodiesHeld`` where all connections hold too many, the error of the
  ///   library where this one does.
  static func hold(_ count: Int, for exchange: Exchange) throws {
    switch exchange.hold(count) {
    case .granted: return
    case .serverIsFull: throw GatewayFailure.bodiesHeld
    case let verdict: if let error = verdict.refusal { throw error }
    }
  }

  /// The share of one body; released when the last reference to it goes away.
  final class Part: Sendable {
    private let budget: BodyBudget
    private let bytes = Atomic<Int>(0)

    init(of budget: BodyBudget) { self.budget = budget }

    /// - Throws: ``GatewayFailure/bodiesHeld`` where the budget is exceeded.
    func add(_ count: Int) throws(GatewayFailure) {
      bytes.add(count, ordering: .relaxed)
      let all = budget.bytes.add(count, ordering: .relaxed).newValue
      guard all <= budget.bytesMax else { throw .bodiesHeld }
    }

    deinit { budget.bytes.subtract(bytes.load(ordering: .relaxed), ordering: .relaxed) }
  }
}
