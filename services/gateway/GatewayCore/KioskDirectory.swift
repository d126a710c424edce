import ServiceKit
import Synchronization

/// The kiosks' credentials, kept in memory and followed by ``KioskFeed``.
///
/// Safe to use from any task.
public final class KioskDirectory: Sendable {
  /// How far the directory can be trusted.
  enum Standing: Sendable, Hashable {
    /// Nothing was read since the start.
    case empty
    /// What was read may have changed since: the feed is interrupted.
    case stale
    /// The feed is followed.
    case current
  }

  private struct Waiter {
    let hash: CredentialHash
    let continuation: CheckedContinuation<Void, Never>
  }

  private struct State {
    var table = KioskTable()
    var standing = Standing.empty
    var waiters: [UInt64: Waiter] = [:]
    var nextWaiter: UInt64 = 0
  }

  /// How long a call waits for a key that the feed has not told of yet: a kiosk that was registered
  /// a moment ago is let in at once. A wrong key takes as long to refuse.
  private static let settleMax = Duration.milliseconds(300)
  /// Calls that may wait; further ones are refused at once.
  private static let waitersMax = 256

  private let state = Mutex(State())

  public init() {}

  /// How far the directory can be trusted at the moment.
  var standing: Standing { state.withLock { $0.standing } }

  /// Takes what was read from the start of the feed on.
  func replace(with table: KioskTable) {
    change { $0.table = table }
  }

  /// Takes one change.
  func update(_ apply: (inout KioskTable) -> Void) {
    change { apply(&$0.table) }
  }

  /// Tells whether the feed is followed.
  func setStanding(_ standing: Standing) {
    change { $0.standing = standing }
  }

  /// The kiosk with that key.
  ///
  /// A known key is answered from memory, also while the feed is interrupted: whoever revokes a key
  /// needs yijia-stations for it.
  /// - Throws: ``CommonFailure/callerUnproven``; ``GatewayFailure/kiosksUnknown`` where that can't
  ///   be told now.
  func caller(_ hash: CredentialHash) async throws -> Caller {
    let (match, standing) = state.withLock { ($0.table.match(hash), $0.standing) }
    switch match {
    case .kiosk(let caller): return caller
    case .revoked: throw CommonFailure.callerUnproven
    case .unknown: break
    }
    guard standing == .current else { throw GatewayFailure.kiosksUnknown }
    await waitForNews(of: hash)
    switch state.withLock({ $0.table.match(hash) }) {
    case .kiosk(let caller): return caller
    case .revoked, .unknown: throw CommonFailure.callerUnproven
    }
  }

  /// The kiosk with that key, if it is known already.
  func known(_ hash: CredentialHash) -> Caller? {
    if case .kiosk(let caller) = state.withLock({ $0.table.match(hash) }) { caller } else { nil }
  }

  private func change(_ body: (inout State) -> Void) {
    let woken = state.withLock { state in
      body(&state)
      let ids = state.waiters.filter { state.table.match($0.value.hash) != .unknown }.map(\.key)
      return ids.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }
    }
    for continuation in woken { continuation.resume() }
  }

  /// Returns when the key became known, or after a while, or when the task is cancelled.
  private func waitForNews(of hash: CredentialHash) async {
    let id: UInt64? = state.withLock { state in
      guard state.waiters.count < Self.waitersMax else { return nil }
      state.nextWaiter += 1
      return state.nextWaiter
    }
    guard let id else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait(id, for: hash) }
      group.addTask {
        // The bound is time itself; it ends early when the key became known.
        try? await Task.sleep(for: Self.settleMax)
      }
      await group.next()
      group.cancelAll()
    }
  }

  private func wait(_ id: UInt64, for hash: CredentialHash) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if Task.isCancelled || state.table.match(hash) != .unknown { return true }
          state.waiters[id] = Waiter(hash: hash, continuation: continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id)?.continuation }?.resume()
    }
  }
}
