internal import Glibc
internal import Storage

/// The claim of one process on a store's file: an advisory lock on `PATH.lock`, which the kernel
/// drops when the process ends, however it ends. The lock file itself stays.
final class FileLock: Sendable {
  private let descriptor: Int32

  /// - Throws: `StorageError.locked` naming the owner, `.io`.
  init(path: String) throws(StorageError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .io(.init("\(path): errno \(errno)")) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let owner = FileLock.owner(descriptor)
      _ = Glibc.close(descriptor)
      throw .locked(.init("\(path) is held by process \(owner)"))
    }
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  /// The holder's process number as it wrote it, for the error's words only.
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
