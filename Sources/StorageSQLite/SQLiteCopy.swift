internal import Dispatch
internal import GRDB
internal import Glibc
public import Storage
internal import Synchronization

extension SQLiteDatabase: CopyableDatabase {
  /// Copies with `VACUUM INTO` on a read connection of its own: a snapshot without free pages and
  /// deleted data.
  public func copy(
    to path: String, progress: (_ done: Int, _ total: Int) async throws -> Void
  ) async throws {
    let total = try await read(
      Query<Int>.one(
        """
        SELECT (p.page_count - f.freelist_count) * s.page_size AS bytes
        FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s
        """
      ) { try $0.int("bytes") })
    let queue = try file.openReader()
    // VACUUM INTO accepts an empty file, so it is created here with mode 0600.
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw StorageError.io(.init(path, errno: errno)) }
    defer { _ = Glibc.close(descriptor) }
    let copying = Task {
      try await EngineThread.start("sqlite copy", leaving: DispatchGroup()) { done in
        do {
          try queue.writeWithoutTransaction {
            try $0.execute(sql: "VACUUM INTO ?", arguments: [path])
          }
        } catch {
          throw StorageError(sqlite: error)
        }
        done()
      }
    }
    do {
      try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
          // A task group awaits its children, so cancellation must interrupt the statement.
          try await withTaskCancellationHandler {
            try await copying.value
          } onCancel: {
            queue.interrupt()
          }
          return true
        }
        while true {
          // The progress is the size of the growing file, which can only be polled.
          group.addTask {
            try await Task.sleep(for: .milliseconds(200))
            return false
          }
          if try await group.next() == true { break }
          try await progress(SQLiteFile.bytes(of: descriptor), total)
        }
        group.cancelAll()
      }
      guard fsync(descriptor) == 0 else {
        throw StorageError.io(.init("\(path): fsync", errno: errno))
      }
      try await progress(total, total)
      try queue.close()
    } catch {
      _ = try? await copying.value
      try? queue.close()
      unlink(path)
      throw error
    }
  }
}

extension SQLiteFile {
  fileprivate static func bytes(of descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }
}
