import ServiceKit
import Storage
import Synchronization

/// The callers of the store that called lately, by the hash of what they show. What is not in
/// memory is read; what changed is forgotten, in this process at once and in others by the feed
/// (``AccountFeed``).
///
/// Safe to use from any task.
final class AccountDirectory: Sendable {
  /// Entries in memory, some 500 bytes each; beyond it all are forgotten and read anew.
  private static let entriesMax = 50_000

  /// One use of a credential, for as long as a call runs.
  struct Watch: Sendable {
    fileprivate let hash: CredentialHash
    fileprivate let id: UInt64
  }

  /// The running streams of one credential.
  fileprivate struct Watched {
    let kind: CredentialKind
    let owner: String
    var expiresAt: Int64
    var calls: [UInt64: @Sendable () -> Void] = [:]
  }

  fileprivate struct State {
    var entries: [CredentialHash: AccountEntry] = [:]
    /// The hashes of an account.
    var hashes: [String: Set<CredentialHash>] = [:]
    var watched: [CredentialHash: Watched] = [:]
    /// Credentials whose streams are to be looked at again.
    var doubtful: Set<CredentialHash> = []
    /// Rises whenever something is forgotten, so that nothing older is kept.
    var generation: UInt64 = 0
    var nextID: UInt64 = 0
  }

  private let database: any Database
  private let clock: Clock
  private let state = Mutex(State())

  init(database: any Database, clock: Clock) {
    self.database = database
    self.clock = clock
  }

  /// The caller with that credential, where it is in memory.
  func known(_ hash: CredentialHash) -> AccountEntry? { state.withLock { $0.entries[hash] } }

  /// The caller with that credential; nil where there is none.
  ///
  /// - Throws: `StorageError`.
  func find(_ hash: CredentialHash, _ kind: CredentialKind) async throws -> AccountEntry? {
    let (known, generation) = state.withLock { ($0.entries[hash], $0.generation) }
    if let known { return known }
    guard let found = try await database.read(kind.entry(hash)) else { return nil }
    state.withLock { state in
      // What was forgotten while this was read may be what was read.
      guard state.generation == generation else { return }
      if state.entries.count >= Self.entriesMax { state.forgetAll() }
      state.entries[hash] = found
      state.hashes[found.owner, default: []].insert(hash)
    }
    return found
  }

  /// Forgets an account: its next call reads it anew. Its streams are looked at by ``settle()``.
  func forget(_ owner: String) {
    state.withLock { state in
      state.generation += 1
      for hash in state.hashes.removeValue(forKey: owner) ?? [] { state.entries[hash] = nil }
      for (hash, watched) in state.watched where watched.owner == owner {
        state.doubtful.insert(hash)
      }
    }
  }

  /// Forgets everything: changes may have been missed.
  func forgetAll() {
    state.withLock { state in
      state.forgetAll()
      state.doubtful = Set(state.watched.keys)
    }
  }

  /// Ends the streams whose credentials hold no more.
  ///
  /// - Throws: `StorageError`; what is not settled then stays to be.
  func settle() async throws {
    let now = clock.microseconds
    var rest = state.withLock { state in
      for (hash, watched) in state.watched where watched.expiresAt <= now {
        state.doubtful.insert(hash)
      }
      defer { state.doubtful = [] }
      return state.doubtful
    }
    do {
      while let hash = rest.first {
        try await settle(hash, at: now)
        rest.remove(hash)
      }
    } catch {
      state.withLock { $0.doubtful.formUnion(rest) }
      throw error
    }
  }

  private func settle(_ hash: CredentialHash, at now: Int64) async throws {
    guard let kind = state.withLock({ $0.watched[hash]?.kind }) else { return }
    let entry = try await find(hash, kind)
    let ended: [@Sendable () -> Void] = state.withLock { state in
      if let entry, entry.expiresAt > now {
        state.watched[hash]?.expiresAt = entry.expiresAt
        return []
      }
      return state.watched.removeValue(forKey: hash).map { Array($0.calls.values) } ?? []
    }
    for end in ended { end() }
  }

  /// Calls `onEnd` once when the credential holds no more; not after ``stopWatching(_:)``, but
  /// perhaps at the same time.
  ///
  /// - Parameter entry: As it was found a moment ago.
  func watch(
    _ hash: CredentialHash, _ kind: CredentialKind, _ entry: AccountEntry,
    onEnd: @escaping @Sendable () -> Void
  ) -> Watch {
    state.withLock { state in
      state.nextID += 1
      let new = Watched(kind: kind, owner: entry.owner, expiresAt: entry.expiresAt)
      state.watched[hash, default: new].calls[state.nextID] = onEnd
      // Forgotten between the two: to be looked at again.
      if state.entries[hash] == nil { state.doubtful.insert(hash) }
      return Watch(hash: hash, id: state.nextID)
    }
  }

  func stopWatching(_ watch: Watch) {
    state.withLock { state in
      state.watched[watch.hash]?.calls[watch.id] = nil
      if state.watched[watch.hash]?.calls.isEmpty == true {
        state.watched[watch.hash] = nil
        state.doubtful.remove(watch.hash)
      }
    }
  }
}

extension AccountDirectory.State {
  fileprivate mutating func forgetAll() {
    generation += 1
    entries.removeAll(keepingCapacity: true)
    hashes.removeAll(keepingCapacity: true)
  }
}
