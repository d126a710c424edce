import ServiceKit
import StationsV1
import Synchronization

/// The kiosks' credentials in memory, kept up to date by ``KioskFeed``.
///
/// Safe to use from any task.
public final class KioskDirectory: Sendable {
  /// How current the directory is.
  enum Standing: Sendable, Hashable {
    /// Nothing has been read since the start.
    case empty
    /// The feed is interrupted, so entries may be out of date.
    case stale
    /// The feed is being followed.
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

  /// Calls that may wait for an unknown key at a time; further ones are refused at once.
  private static let waitersMax = 256

  private let settleMax: Duration
  private let state = Mutex(State())

  /// - Parameter settleMax: How long a call waits for a key that the feed has not delivered yet, so
  ///   that a kiosk can call right after its registration. A wrong key costs the same wait.
  public init(settleMax: Duration = .milliseconds(300)) { self.settleMax = settleMax }

  /// How current the directory is at the moment.
  var standing: Standing { state.withLock { $0.standing } }

  /// Replaces the table with one that was read from the start of the feed.
  func replace(with table: KioskTable) {
    change { state in
      state.table = table
      return Array(state.watches.keys)
    }
  }

  /// Applies one event of the feed.
  func apply(_ change: KioskChanged, version: Int64) {
    self.change { $0.table.apply(change, version: version) }
  }

  /// Sets whether the feed is being followed.
  func setStanding(_ standing: Standing) {
    state.withLock { $0.standing = standing }
  }

  /// Returns the kiosk with that key.
  ///
  /// A known key is answered from memory even while the feed is interrupted: revoking a key needs
  /// yijia-stations as well.
  /// - Throws: ``CommonFailure/callerUnproven``; ``GatewayFailure/kiosksUnknown`` where an unknown
  ///   key cannot be judged at the moment.
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

  /// Returns the kiosk with that key, if it is in the table.
  func known(_ hash: CredentialHash) -> Caller? {
    if case .kiosk(let caller) = state.withLock({ $0.table.match(hash) }) { caller } else { nil }
  }

  /// Calls `onEnd` once when the key is revoked or replaced, at once if it is not valid at the
  /// moment. It is not called after ``stopWatching(_:)`` has returned, except by a call that is
  /// already under way.
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

  /// The registration of a watched key, for the duration of a call.
  struct Watch: Sendable {
    fileprivate let hash: CredentialHash
    fileprivate let id: UInt64
  }

  /// Changes the state, resumes the waiters of keys that became known, and notifies the watches of
  /// keys that became invalid.
  /// - Parameter body: Returns the keys that may have become invalid.
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

  /// Suspends until the key is known, `settleMax` has passed, or the task is cancelled.
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
        // A real time limit; the group ends early when the key becomes known.
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
