internal import Glibc
internal import Storage

/// A process's exclusive lock on a store: an advisory `flock` on `PATH.lock`, which the kernel
/// releases when the process ends. The lock file itself is not deleted.
final class FileLock: Sendable {
  private let descriptor: Int32

  /// Acquires the lock.
  ///
  /// - Throws: `StorageError.locked` naming the owner, `.io`.
  init(path: String) throws(StorageError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .io(.init(path, errno: errno)) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let owner = FileLock.owner(descriptor)
      _ = Glibc.close(descriptor)
      throw .locked(.init("\(path) is held by process \(owner)"))
    }
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  /// Returns the process id written by the lock's owner, for error messages only.
  private static func owner(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    let digits = bytes.prefix(max(0, count)).prefix { $0 >= 48 && $0 <= 57 }
    return digits.isEmpty ? "(unknown)" : String(decoding: digits, as: UTF8.self)
  }

  deinit {
    _ = Glibc.close(descriptor)
  }
}
