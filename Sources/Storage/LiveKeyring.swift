internal import Foundation
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#endif

/// A keyring that can be replaced while in use, so that keys rotate without downtime.
///
/// Each replica reads the file for itself: on `reload()`, and when it encounters an unknown key,
/// used by a replica that reloaded earlier. Safe to call from any thread.
public final class LiveKeyring: Sendable {
  /// The attributes by which a changed file is detected.
  private struct Version: Equatable {
    var inode: UInt64 = 0
    var seconds = 0
    var nanoseconds = 0
  }

  private struct State {
    var keyring: Keyring
    var version: Version
  }

  private let path: String?
  private let state: Mutex<State>

  /// Creates a fixed keyring.
  public init(_ keyring: Keyring) {
    path = nil
    state = Mutex(State(keyring: keyring, version: Version()))
  }

  /// Reads a keyring file.
  ///
  /// - Throws: `StorageError.keyring`.
  public init(contentsOf path: String) throws(StorageError) {
    self.path = path
    let version = Self.version(of: path)
    state = Mutex(State(keyring: try Keyring(contentsOf: path), version: version))
  }

  /// The current keyring.
  public var keyring: Keyring { state.withLock { $0.keyring } }

  /// Reads the file again. On failure the current keys are kept.
  ///
  /// - Throws: `StorageError.keyring`, also if a key number stands for another key than before:
  ///   then the file is the keyring of another store.
  public func reload() throws(StorageError) {
    guard let fresh = try read() else { return }
    for key in keyring.keys {
      guard let same = fresh.keyring.keys.first(where: { $0.id == key.id }) else { continue }
      guard same.secret == key.secret else {
        throw .keyring("\(place): its key \(key.id) is not the key \(key.id) in use")
      }
    }
    state.withLock { $0 = fresh }
  }

  /// Returns the keys in the file as it is, without using them; the fixed keyring if there is no
  /// file.
  func fresh() throws(StorageError) -> Keyring {
    try read()?.keyring ?? keyring
  }

  /// The path of the file, for messages.
  var place: String { path ?? "the keyring" }

  private func read() throws(StorageError) -> State? {
    guard let path else { return nil }
    let version = Self.version(of: path)
    return State(keyring: try Keyring(contentsOf: path), version: version)
  }

  /// Returns the key with the given number. Reloads a changed file if the key is unknown.
  func key(_ id: UInt32) throws(StorageError) -> Keyring.Key {
    let (keyring, version) = state.withLock { ($0.keyring, $0.version) }
    if let key = keyring.keys.first(where: { $0.id == id }) { return key }
    guard let path, Self.version(of: path) != version else { throw .unknownKey(id) }
    try reload()
    return try self.keyring.key(id)
  }

  private static func version(of path: String) -> Version {
    var status = stat()
    guard stat(path, &status) == 0 else { return Version() }
    return Version(
      inode: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
  }
}
