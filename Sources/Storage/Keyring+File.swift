public import Foundation

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#endif

extension Keyring {
  /// Reads a keyring file with strict checks.
  ///
  /// - Throws: `StorageError.keyring` if the file is missing, not a regular file, owned by another
  ///   user, readable by others, too large, or malformed.
  public init(contentsOf path: String) throws(StorageError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      throw .keyring("\(path) can't be opened: \(Keyring.words(errno))")
    }
    defer { _ = close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .keyring("\(path) can't be examined") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .keyring("\(path) is no plain file") }
    guard status.st_uid == geteuid() else { throw .keyring("\(path) belongs to another user") }
    guard status.st_mode & 0o077 == 0 else {
      throw .keyring("others may read \(path): set its mode to 0600")
    }
    guard status.st_size <= Limits.keyringBytes else { throw .keyring("\(path) is too large") }
    let bytes = try Keyring.readAll(descriptor, path: path)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .keyring("\(path) is not text")
    }
    do {
      try self.init(text: text)
    } catch .keyring(let reason) {
      throw .keyring("\(path): \(reason)")
    }
  }

  /// Reads a keyring file, or creates one with a new key if there is none. For development.
  public init(contentsOf path: String, orGenerateAt time: Date) throws(StorageError) {
    if access(path, F_OK) != 0 {
      do {
        try Keyring.generate(at: time).write(to: path)
      } catch {
        // Another process may have created it concurrently.
        guard access(path, F_OK) == 0 else { throw error }
      }
    }
    try self.init(contentsOf: path)
  }

  /// Writes a keyring file (mode 0600) atomically and durably.
  ///
  /// - Parameter replacing: Whether to replace an existing file (a rotation); otherwise an existing
  ///   file is refused.
  /// - Throws: `StorageError.keyring`.
  public func write(to path: String, replacing: Bool = false) throws(StorageError) {
    let draft = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).draft"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw .keyring("\(path) can't be created: \(Keyring.words(errno))")
    }
    defer { _ = unlink(draft) }
    let bytes = Array(fileText().utf8)
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let synced = fsync(descriptor)
    _ = close(descriptor)
    guard written == bytes.count, synced == 0 else { throw .keyring("\(path) can't be written") }
    // link(2) fails if the name exists; rename(2) replaces it. Both are atomic.
    let placed = replacing ? rename(draft, path) : link(draft, path)
    guard placed == 0 else {
      throw .keyring("\(path) can't be put in place: \(Keyring.words(errno))")
    }
    try Keyring.syncFolder(of: path)
  }

  /// Syncs the directory of a file. Without it the new name may be lost in a power failure, and
  /// with it everything sealed under the new key.
  private static func syncFolder(of path: String) throws(StorageError) {
    let end = path.lastIndex(of: "/")
    let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .keyring("\(folder) can't be opened: \(Keyring.words(errno))")
    }
    defer { _ = close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .keyring("\(folder) can't be put on disk") }
  }

  /// The operating system's words for an error number.
  private static func words(_ number: Int32) -> String { String(cString: strerror(number)) }

  private static func readAll(_ descriptor: Int32, path: String) throws(StorageError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while bytes.count <= Limits.keyringBytes {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      guard count >= 0 else { throw .keyring("\(path) can't be read: \(Keyring.words(errno))") }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
    }
    throw .keyring("\(path) is too large")
  }
}
