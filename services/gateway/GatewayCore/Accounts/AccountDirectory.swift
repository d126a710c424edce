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
  /// Credentials of nobody in memory, some 50 bytes each; beyond it all are looked for anew.
  private static let unknownMax = 10_000
  /// How long a credential is nobody's without another look. What this process and the feed tell
  /// of counts at once: it is for changes that the feed can't tell of while it is broken.
  private static let unknownMicroseconds: Int64 = 10_000_000
  /// Credentials that are looked for in the store at the same time: one who invents them leaves the
  /// store to others.
  private static let readsMax = 64
  /// How exactly it is kept when a session was used.
  fileprivate static let useMicroseconds: Int64 = 60_000_000

  /// One use of a credential, for as long as a call runs.
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
    /// Credentials that were nobody's, until then: who shows one again and again costs no look into
    /// the store each time. Void when anything changes.
    var unknown: [CredentialHash: Int64] = [:]
    /// The hashes of an account, and of a session.
    var hashes: [String: Set<CredentialHash>] = [:]
    var watched: [CredentialHash: Watched] = [:]
    /// Credentials whose streams are to be looked at again.
    var doubtful: Set<CredentialHash> = []
    /// When sessions were used, by identifier; still to be stored.
    var used: [String: Int64] = [:]
    /// Rises whenever something is forgotten, so that nothing older is kept.
    var generation: UInt64 = 0
    var nextID: UInt64 = 0
    /// Credentials that are being looked for.
    var reads = 0
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

  /// The caller with that session, where it is in memory and has not ended. Keeps that it is used.
  func use(_ hash: CredentialHash, at now: Int64) -> AccountEntry? {
    state.withLock { state in
      guard let known = state.entries[hash], known.endsAt > now else { return nil }
      let entry = state.withUse(of: known, at: now)
      if entry.session?.usedAt != known.session?.usedAt { state.entries[hash] = entry }
      return entry
    }
  }

  /// When sessions were used since this was asked last, by identifier.
  func takeUsed() -> [String: Int64] {
    state.withLock { state in
      defer { state.used = [:] }
      return state.used
    }
  }

  /// The caller with that credential; nil where there is none.
  ///
  /// - Throws: `StorageError`; ``CommonFailure/storageBusy`` where too many are looked for.
  func find(_ hash: CredentialHash, _ kind: CredentialKind) async throws -> AccountEntry? {
    let now = clock.microseconds
    let (known, isUnknown, generation) = state.withLock { state in
      (state.entries[hash], state.unknown[hash].map { $0 > now } ?? false, state.generation)
    }
    // Another gateway may know that a session was used.
    if let known, known.session == nil || known.endsAt > now { return known }
    if isUnknown { return nil }
    try state.withLock { state throws(CommonFailure) in
      guard state.reads < Self.readsMax else { throw .storageBusy }
      state.reads += 1
    }
    defer { state.withLock { $0.reads -= 1 } }
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
      // What was forgotten while this was read may be what was read.
      guard state.generation == generation else { return found }
      if state.entries.count >= Self.entriesMax { state.forgetAll() }
      state.entries[hash] = found
      for name in [found.owner, found.session?.name].compactMap({ $0 }) {
        state.hashes[name, default: []].insert(hash)
      }
      return found
    }
  }

  /// Forgets an account or a session: its next call reads it anew. Its streams are looked at by
  /// ``settle()``.
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

  /// Forgets everything: changes may have been missed.
  func forgetAll() {
    state.withLock { state in
      state.forgetAll()
      state.doubtful = Set(state.watched.keys)
    }
  }

  /// Ends the streams whose credentials hold no more, or not as they did.
  ///
  /// - Throws: `StorageError`; what is not settled then stays to be.
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
      // A certificate may have become another's; and what a caller may call may have become less.
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
      let new = Watched(kind: kind, entry: entry)
      state.watched[hash, default: new].calls[state.nextID] = onEnd
      // Forgotten between the two, and perhaps read anew: to be looked at again.
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
  /// Whether it lets the same caller do the same, as long.
  fileprivate func grantsAs(_ other: AccountEntry) -> Bool {
    caller == other.caller && grant == other.grant && expiresAt == other.expiresAt
  }
}

extension AccountDirectory.State {
  /// The entry with what is known of its use and not stored yet; a session that holds is used now.
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
