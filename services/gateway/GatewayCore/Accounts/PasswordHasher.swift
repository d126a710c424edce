import Dispatch
import Synchronization

/// Hashes passwords on dedicated threads, so that no event loop blocks, and few at a time: each
/// hash takes a core and 32 MiB. Safe to use from any task.
final class PasswordHasher: Sendable {
  /// Concurrent hashes: calls must still be served beside them on the smallest machine.
  private static let threads = 2
  /// Hashes that may wait: two seconds of work per thread; more are refused.
  private static let waitingMax = 16

  let cost: PasswordHash.Cost
  private let queues: [DispatchQueue]
  private let state = Mutex((inHand: 0, next: 0))

  init(cost: PasswordHash.Cost = .standard) {
    self.cost = cost
    queues = (0..<Self.threads).map { DispatchQueue(label: "gateway.passwords.\($0)") }
  }

  func hash(_ password: String, salt: [UInt8]) async throws -> PasswordHash {
    let cost = cost
    return try await run { try PasswordHash(of: password, salt: salt, cost: cost) }
  }

  func matches(_ password: String, _ hash: PasswordHash) async throws -> Bool {
    try await run { try hash.matches(password) }
  }

  /// - Throws: ``AccountFailure/hashingBusy`` where the queue is full.
  func checkFree() throws(AccountFailure) {
    guard state.withLock({ $0.inHand < Self.threads + Self.waitingMax }) else {
      throw .hashingBusy
    }
  }

  private func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws
    -> Value
  {
    let queue: DispatchQueue? = state.withLock { state in
      guard state.inHand < Self.threads + Self.waitingMax else { return nil }
      state.inHand += 1
      state.next = (state.next + 1) % queues.count
      return queues[state.next]
    }
    guard let queue else { throw AccountFailure.hashingBusy }
    defer { state.withLock { $0.inHand -= 1 } }
    return try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }
}
