internal import Storage

/// The buffer of the running statement's texts and blobs, which SQLite reads in place instead of
/// allocating a copy of each. Confined to the connection's thread.
final class ArgumentBytes {
  /// The capacity kept for the next statement, in bytes: a hundred rows or so.
  private static let keptMax = 1 << 18

  /// Owned. Addresses that `append` returned are valid until `clear`.
  private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 12, alignment: 1)
  private var used = 0

  deinit {
    memory.deallocate()
  }

  /// Reserves space for a statement's arguments, before the first `append`.
  func reserve(_ count: Int) {
    precondition(used == 0, "bound arguments must not move")
    guard count >= memory.count else { return }
    memory.deallocate()
    memory = .allocate(byteCount: count + 1, alignment: 1)
  }

  /// Copies bytes. Even an empty result has an address: SQLite takes a null pointer for NULL.
  func append(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    precondition(used + bytes.count < memory.count, "space is reserved before")
    let place = UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + bytes.count])
    place.copyMemory(from: bytes)
    used += bytes.count
    return UnsafeRawBufferPointer(place)
  }

  /// Discards the arguments, once the statement's bindings are cleared.
  func clear() {
    used = 0
    guard memory.count > Self.keptMax else { return }
    memory.deallocate()
    memory = .allocate(byteCount: Self.keptMax, alignment: 1)
  }
}

extension SQLValue {
  /// The length of a text or a blob in bytes.
  var byteCount: Int {
    switch self {
    case .null, .integer, .real: 0
    case .text(let text): text.utf8.count
    case .blob(let bytes): bytes.count
    }
  }
}
