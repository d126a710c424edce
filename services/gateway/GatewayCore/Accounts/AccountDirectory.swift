import ServiceKit
import Storage
import Synchronization

/// Cache of the store's callers, by the hash of their credential. Misses are read from the store.
/// Changes invalidate entries: those of this process at once, those of other replicas by the feed
/// (``AccountFeed``).
///
/// Safe to use from any task.
final class AccountDirectory: Sendable {
  /// Size of the cache, in entries of some 500 bytes each; at the limit it is cleared.
  private static let entriesMax = 50_000
  /// Unknown credentials that are remembered, some 50 bytes each; at the limit all are forgotten.
  private static let unknownMax = 10_000
  /// How long a credential is remembered as unknown. Changes by this process or in the feed clear
  /// the memory at once; the time covers changes while the feed is interrupted.
  private static let unknownMicroseconds: Int64 = 10_000_000
  /// Concurrent look-ups in the store, one for each credential: a flood of invented ones must leave
  /// the store usable.
  private static let readsMax = 64
  /// Resolution of a session's time of last use, in microseconds.
  fileprivate static let useMicroseconds: Int64 = 60_000_000

  /// The registration of a watched credential, for the duration of a call.
  struct Watch: Sendable {
    fileprivate let hash: CredentialHash
    fileprivate let id: UInt64
  }

  /// The running streams of one credential.
  fileprivate struct Watched {
    let kind: CredentialKind
    var entry: AccountEntry
    var calls: [UInt64: @Sendable () -> Void] = [:]
  }

  fileprivate struct State {
    var entries: [CredentialHash: AccountEntry] = [:]
    /// Unknown credentials, and until when they count as such: repeated use of one must not cost a
    /// look-up in the store each time. Cleared by any change.
    var unknown: [CredentialHash: Int64] = [:]
    /// The cached hashes by account and by session name.
    var hashes: [String: Set<CredentialHash>] = [:]
    var watched: [CredentialHash: Watched] = [:]
    /// Credentials whose streams have to be re-validated.
    var doubtful: Set<CredentialHash> = []
    /// Times of last use by session identifier that have not been stored yet.
    var used: [String: Int64] = [:]
    /// Incremented whenever entries are invalidated, so that no older read is cached afterwards.
    var generation: UInt64 = 0
    var nextID: UInt64 = 0
  }

  /// A look-up in the store. One that began before an invalidation is not shared afterwards.
  private struct Lookup: Hashable {
    let hash: CredentialHash
    let generation: UInt64
  }

  private let database: any Database
  private let clock: Clock
  private let state = Mutex(State())
  private let reads = SharedReads<Lookup, AccountEntry?>(atMost: readsMax)

  init(database: any Database, clock: Clock) {
    self.database = database
    self.clock = clock
  }

  /// Returns the cached caller with that credential.
  func known(_ hash: CredentialHash) -> AccountEntry? { state.withLock { $0.entries[hash] } }

  /// Returns the cached caller with that session, unless it has ended. Records the use.
  func use(_ hash: CredentialHash, at now: Int64) -> AccountEntry? {
    state.withLock { state in
      guard let known = state.entries[hash], known.endsAt > now else { return nil }
      let entry = state.withUse(of: known, at: now)
      if entry.session?.usedAt != known.session?.usedAt { state.entries[hash] = entry }
      return entry
    }
  }

  /// Returns the times of last use recorded since the previous call, by session identifier.
  func takeUsed() -> [String: Int64] {
    state.withLock { state in
      defer { state.used = [:] }
      return state.used
    }
  }

  /// Returns the caller with that credential, from the cache or the store; nil where there is none.
  ///
  /// - Throws: `StorageError`; ``CommonFailure/storageBusy`` while too many other credentials are
  ///   being looked up.
  func find(_ hash: CredentialHash, _ kind: CredentialKind) async throws -> AccountEntry? {
    let now = clock.microseconds
    let (known, isUnknown, generation) = state.withLock { state in
      (state.entries[hash], state.unknown[hash].map { $0 > now } ?? false, state.generation)
    }
    // An ended session is read again: another gateway may have extended it.
    if let known, known.session == nil || known.endsAt > now { return known }
    if isUnknown { return nil }
    return try await reads.value(of: Lookup(hash: hash, generation: generation)) {
      try await read(hash, kind, generation, at: now)
    }
  }

  private func read(
    _ hash: CredentialHash, _ kind: CredentialKind, _ generation: UInt64, at now: Int64
  ) async throws -> AccountEntry? {
    guard let stored = try await database.read(kind.entry(hash)) else {
      state.withLock { state in
        guard state.generation == generation else { return }
        if state.unknown.count >= Self.unknownMax { state.unknown = [:] }
        state.unknown[hash] = now + Self.unknownMicroseconds
      }
      return nil
    }
    return state.withLock { state in
      let found = state.withUse(of: stored, at: now)
      // An invalidation during the read may concern what was read.
      guard state.generation == generation else { return found }
      if state.entries.count >= Self.entriesMax { state.forgetAll() }
      state.entries[hash] = found
      for name in [found.owner, found.session?.name].compactMap({ $0 }) {
        state.hashes[name, default: []].insert(hash)
      }
      return found
    }
  }

  /// Invalidates an account or a session: its next call reads it again. Its streams are
  /// re-validated by ``settle()``.
  func forget(_ name: String) {
    state.withLock { state in
      state.generation += 1
      state.unknown = [:]
      for hash in state.hashes.removeValue(forKey: name) ?? [] { state.remove(hash) }
      for (hash, watched) in state.watched where watched.entry.isOf(name) {
        state.doubtful.insert(hash)
      }
    }
  }

  /// Invalidates everything: changes may have been missed.
  func forgetAll() {
    state.withLock { state in
      state.forgetAll()
      state.doubtful = Set(state.watched.keys)
    }
  }

  /// Re-validates the streams of doubtful credentials, and ends those whose credential is no longer
  /// valid or grants something else.
  ///
  /// - Throws: `StorageError`; the credentials left over are kept for the next call.
  func settle() async throws {
    let now = clock.microseconds
    var rest = state.withLock { state in
      for (hash, watched) in state.watched where watched.entry.endsAt <= now {
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
      // A certificate may have been given to another partner, and a grant may have been reduced.
      if let entry, entry.endsAt > now, let watched = state.watched[hash]?.entry,
        entry.caller == watched.caller, entry.grant == watched.grant
      {
        state.watched[hash]?.entry = entry
        return []
      }
      return state.watched.removeValue(forKey: hash).map { Array($0.calls.values) } ?? []
    }
    for end in ended { end() }
  }

  /// Calls `onEnd` once when the credential becomes invalid. It is not called after
  /// ``stopWatching(_:)`` has returned, except by a call that is already under way.
  ///
  /// - Parameter entry: The entry that authenticated the caller.
  func watch(
    _ hash: CredentialHash, _ kind: CredentialKind, _ entry: AccountEntry,
    onEnd: @escaping @Sendable () -> Void
  ) -> Watch {
    state.withLock { state in
      state.nextID += 1
      let new = Watched(kind: kind, entry: entry)
      state.watched[hash, default: new].calls[state.nextID] = onEnd
      // Invalidated in between, and perhaps read again: to be re-validated.
      if state.entries[hash].map({ !$0.grantsAs(entry) }) ?? true { state.doubtful.insert(hash) }
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

extension AccountEntry {
  /// Whether it grants the same caller the same methods for the same time.
  fileprivate func grantsAs(_ other: AccountEntry) -> Bool {
    caller == other.caller && grant == other.grant && expiresAt == other.expiresAt
  }
}

extension AccountDirectory.State {
  /// Returns the entry with its latest known time of last use, and records a use now if it is
  /// valid.
  fileprivate mutating func withUse(of stored: AccountEntry, at now: Int64) -> AccountEntry {
    guard let session = stored.session else { return stored }
    var entry = stored
    let id = String(session.name.suffix(32))
    let usedAt = max(session.usedAt, used[id] ?? 0)
    entry.session?.usedAt = usedAt
    if entry.endsAt > now, now - usedAt >= AccountDirectory.useMicroseconds {
      entry.session?.usedAt = now
      used[id] = now
    }
    return entry
  }

  fileprivate mutating func remove(_ hash: CredentialHash) {
    guard let entry = entries.removeValue(forKey: hash) else { return }
    for name in [entry.owner, entry.session?.name].compactMap({ $0 }) {
      hashes[name]?.remove(hash)
      if hashes[name]?.isEmpty == true { hashes[name] = nil }
    }
  }

  fileprivate mutating func forgetAll() {
    generation += 1
    unknown = [:]
    entries.removeAll(keepingCapacity: true)
    hashes.removeAll(keepingCapacity: true)
  }
}
