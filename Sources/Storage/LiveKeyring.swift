internal import Foundation
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#endif

/// A keyring that can be replaced while it is in use, so that keys rotate without a stop.
///
/// Of several replicas each reads the file for itself: on `reload()`, and by itself when it meets a
/// key that it doesn't know, sealed by a replica that reloaded before. Safe to use from any thread.
public final class LiveKeyring: Sendable {
  /// What tells one version of the file from another.
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

  /// A keyring that stays as it is.
  public init(_ keyring: Keyring) {
    path = nil
    state = Mutex(State(keyring: keyring, version: Version()))
  }

  /// - Throws: `StorageError.keyring`.
  public init(contentsOf path: String) throws(StorageError) {
    self.path = path
    let version = Self.version(of: path)
    state = Mutex(State(keyring: try Keyring(contentsOf: path), version: version))
  }

  /// The keys of now.
  public var keyring: Keyring { state.withLock { $0.keyring } }

  /// Takes the file as it is now; what can't be read leaves the keys as they were.
  ///
  /// - Throws: `StorageError.keyring`.
  public func reload() throws(StorageError) {
    guard let path else { return }
    let version = Self.version(of: path)
    let keyring = try Keyring(contentsOf: path)
    state.withLock { $0 = State(keyring: keyring, version: version) }
  }

  /// A key by its number. Asks the file where it changed since it was read.
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
