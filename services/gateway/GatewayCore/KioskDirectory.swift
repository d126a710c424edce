import ServiceKit
import StationsV1
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
    var watches: [CredentialHash: [UInt64: @Sendable () -> Void]] = [:]
    var nextID: UInt64 = 0
  }

  /// Calls that may wait; further ones are refused at once.
  private static let waitersMax = 256

  private let settleMax: Duration
  private let state = Mutex(State())

  /// - Parameter settleMax: how long a call waits for a key that the feed has not told of yet: a
  ///   kiosk that was registered a moment ago is let in at once. A wrong key takes as long.
  public init(settleMax: Duration = .milliseconds(300)) { self.settleMax = settleMax }

  /// How far the directory can be trusted at the moment.
  var standing: Standing { state.withLock { $0.standing } }

  /// Takes what was read from the start of the feed on.
  func replace(with table: KioskTable) {
    change { state in
      state.table = table
      return Array(state.watches.keys)
    }
  }

  /// Takes one change.
  func apply(_ change: KioskChanged, version: Int64) {
    self.change { $0.table.apply(change, version: version) }
  }

  /// Tells whether the feed is followed.
  func setStanding(_ standing: Standing) {
    state.withLock { $0.standing = standing }
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

  /// Calls `onEnd` once when the key with that hash holds no more, at once if it does not now; not
  /// after ``stopWatching(_:)``, but perhaps at the same time.
  func watch(_ hash: CredentialHash, onEnd: @escaping @Sendable () -> Void) -> Watch {
    let (watch, isOver) = state.withLock { state in
      state.nextID += 1
      let watch = Watch(hash: hash, id: state.nextID)
      guard case .kiosk = state.table.match(hash) else { return (watch, true) }
      state.watches[hash, default: [:]][watch.id] = onEnd
      return (watch, false)
    }
    if isOver { onEnd() }
    return watch
  }

  func stopWatching(_ watch: Watch) {
    state.withLock { state in
      state.watches[watch.hash]?[watch.id] = nil
      if state.watches[watch.hash]?.isEmpty == true { state.watches[watch.hash] = nil }
    }
  }

  /// One use of a key, for as long as a call runs.
  struct Watch: Sendable {
    fileprivate let hash: CredentialHash
    fileprivate let id: UInt64
  }

  /// - Parameter body: Changes the table, and returns the keys that may hold no more.
  private func change(_ body: (inout State) -> [CredentialHash]) {
    let (woken, told) = state.withLock { state in
      let ended = body(&state)
      let ids = state.waiters.filter { state.table.match($0.value.hash) != .unknown }.map(\.key)
      var told: [@Sendable () -> Void] = []
      for hash in ended {
        if case .kiosk = state.table.match(hash) { continue }
        told += state.watches.removeValue(forKey: hash).map { Array($0.values) } ?? []
      }
      return (ids.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }, told)
    }
    for continuation in woken { continuation.resume() }
    for onEnd in told { onEnd() }
  }

  /// Returns when the key became known, or after a while, or when the task is cancelled.
  private func waitForNews(of hash: CredentialHash) async {
    let id: UInt64? = state.withLock { state in
      guard state.waiters.count < Self.waitersMax else { return nil }
      state.nextID += 1
      return state.nextID
    }
    guard let id else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait(id, for: hash) }
      group.addTask {
        // The bound is time itself; it ends early when the key became known.
        try? await Task.sleep(for: self.settleMax)
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
