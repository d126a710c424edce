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
  /// - Throws: `StorageError.keyring`.
  public func reload() throws(StorageError) {
    guard let path else { return }
    let version = Self.version(of: path)
    let keyring = try Keyring(contentsOf: path)
    state.withLock { $0 = State(keyring: keyring, version: version) }
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
