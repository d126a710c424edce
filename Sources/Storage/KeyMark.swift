internal import Crypto
internal import Foundation

/// The identifier of a key under which a store holds data. It is kept in the store, so that the
/// store is never opened with other keyrings than it was written with.
///
/// The mark is HMAC-SHA256 of the keyring's name under a subkey of the key, cut to 16 bytes: it
/// reveals nothing of the key, and the same key in another keyring has another mark.
public struct KeyMark: Sendable, Hashable {
  /// The size of a mark: collisions do not happen by chance.
  static let markBytes = 16

  /// The name of the keyring: `fields`, `hashes`.
  public let keyring: String
  /// The number of the key.
  public let key: UInt32
  /// The identifier.
  public let mark: [UInt8]

  /// Creates a mark as it was stored, for example in the manifest of a backup.
  public init(keyring: String, key: UInt32, mark: [UInt8]) {
    self.keyring = keyring
    self.key = key
    self.mark = mark
  }

  init(of key: Keyring.Key, in keyring: String) {
    let subkey = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key.secret, info: Array("yijia key mark".utf8), outputByteCount: 32)
    let code = HMAC<SHA256>.authenticationCode(for: Array(keyring.utf8), using: subkey)
    self.init(keyring: keyring, key: key.id, mark: Array(code.prefix(Self.markBytes)))
  }
}

/// A keyring under which a store holds data, with the name by which the store knows it.
public struct NamedKeyring: Sendable {
  /// The name: `fields`, `hashes`.
  public let name: String
  let live: LiveKeyring

  /// - Parameter ring: The keys; a check reads their file anew.
  public init(name: String, ring: LiveKeyring) {
    self.name = name
    live = ring
  }

  /// Checks that the keyring's file holds every key that has a mark.
  ///
  /// - Throws: `StorageError.keyring` naming the file and the first key that is missing or another.
  public func check(against marks: [KeyMark]) throws(StorageError) {
    try check(try live.fresh(), against: marks)
  }

  /// Checks that a keyring holds every key of the ring that has a mark.
  ///
  /// - Throws: `StorageError.keyring` naming the file and the first key that is missing or another.
  fileprivate func check(_ keyring: Keyring, against marks: [KeyMark]) throws(StorageError) {
    for mark in marks where mark.keyring == name {
      guard let key = keyring.keys.first(where: { $0.id == mark.key }) else {
        let held = keyring.keys.map { "\($0.id)" }.joined(separator: ", ")
        throw .keyring(
          """
          \(live.place) lacks key \(mark.key) of \(name), which the store needs (it holds \
          \(held)): use the keyring that belongs to this store; for a restored store, that of the \
          time of its backup
          """)
      }
      guard KeyMark(of: key, in: name) == mark else {
        throw .keyring(
          """
          \(live.place): its key \(mark.key) is not the key \(mark.key) of \(name) that the store \
          was written with: it is the keyring of another store
          """)
      }
    }
  }
}

extension Database {
  /// Returns the marks of the keys that the store needs; none if it was never opened with keyrings.
  public func keyMarks() async throws -> [KeyMark] {
    try await read(KeyMarks.all)
  }

  /// Checks that the keyrings' files hold every key that the store needs, and marks their current
  /// keys as needed. Called before a service uses the files: when it opens its store, and when it
  /// reloads them.
  ///
  /// A keyring without any mark, of a store that is new or older than marks, is marked whole.
  ///
  /// - Throws: `StorageError.keyring`; then no mark has changed.
  public func markKeys(_ rings: [NamedKeyring]) async throws {
    var read: [(ring: NamedKeyring, keyring: Keyring)] = []
    for ring in rings { read.append((ring, try ring.live.fresh())) }
    let fresh = read
    try await write { KeyMarks.mark(fresh) }
  }

  /// Forgets the marks of keys older than the oldest one that is still needed: such keys may be
  /// retired. The current key of each keyring is always needed.
  ///
  /// - Parameter needed: For each keyring's name, the older keys that the store still needs.
  public func forgetKeys(_ rings: [NamedKeyring], besides needed: [String: [UInt32]]) async throws {
    var commit = KeyMarks.emptyCommit
    for ring in rings {
      let current = ring.live.keyring.current.id
      let oldest = min(needed[ring.name]?.min() ?? current, current)
      commit.run(
        "DELETE FROM storage_key WHERE keyring = ?1 AND key < ?2", [ring.name, Int64(oldest)])
    }
    try await write(commit)
  }
}

/// The SQL of the marks.
private enum KeyMarks {
  /// A commit whose time dates nothing: it has no events and no audit entries.
  static var emptyCommit: Commit { Commit(at: .init(microseconds: 0)) }

  static let all = Query<[KeyMark]>.all(
    "SELECT keyring, key, mark FROM storage_key ORDER BY keyring, key"
  ) { row in
    KeyMark(
      keyring: try row.text("keyring"), key: UInt32(clamping: try row.integer("key")),
      mark: try row.blob("mark"))
  }

  /// Two replicas that mark at the same time: the later one's insert meets a row, and its write is
  /// attempted again with the marks of the first.
  static func mark(_ rings: [(ring: NamedKeyring, keyring: Keyring)]) -> Step<Void> {
    .read(all) { marks in
      var commit = emptyCommit
      for (ring, keyring) in rings {
        let known = marks.filter { $0.keyring == ring.name }
        try ring.check(keyring, against: known)
        for key in known.isEmpty ? keyring.keys : [keyring.current]
        where !known.contains(where: { $0.key == key.id }) {
          let mark = KeyMark(of: key, in: ring.name)
          commit.run(
            """
            INSERT INTO storage_key (keyring, key, mark) VALUES (?1, ?2, ?3)
            ON CONFLICT (keyring, key) DO NOTHING
            """, [mark.keyring, Int64(mark.key), mark.mark], expects: .exactly(1))
        }
      }
      return commit.statements.isEmpty ? .reply(()) : .commit(commit, ())
    }
  }
}
