import Foundation
import ServiceKit

/// Holds a folder for one development suite: two would write each other's configurations.
///
/// The kernel lets go of the lock when the process ends, however it ends.
struct FolderLock: ~Copyable {
  private let descriptor: Int32

  /// Makes the folder where there is none.
  /// - Throws: ``ConfigurationError`` naming the folder, or the process that holds it.
  init(_ folder: URL) throws {
    try NewFolder.makeFolder(folder)
    let file = folder.appending(path: "dev.lock").path
    let opened = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard opened >= 0 else {
      throw ConfigurationError("\(file): cannot be written: \(String(cString: strerror(errno)))")
    }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let holder = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
      _ = close(opened)
      throw ConfigurationError(
        "\(folder.path): another yijia dev runs there (pid \(holder)); stop it, or take another "
          + "folder: --data")
    }
    let text = Array("\(getpid())".utf8)
    _ = ftruncate(opened, 0)
    _ = pwrite(opened, text, text.count, 0)
    descriptor = opened
  }

  deinit { _ = close(descriptor) }
}
