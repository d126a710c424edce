import NIOCore

/// Determines by a `ReadSize` how much a server reads from a connection at once.
protocol ReadSizing: RecvByteBufferAllocator {
  var readSize: ReadSize { get }
}

extension ReadSizing {
  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
    allocator.buffer(capacity: readSize.bytes)
  }

  /// Returns the size of the next read, or nil for a new buffer. SwiftNIO reuses its last buffer
  /// and reads all that fits in it, so after a larger one there is no other way to read less.
  func nextBufferSize() -> Int? { readSize.bytes < readSize.largest ? nil : readSize.bytes }

  /// Returns true; the size is adjusted at the end of a turn, when its duration is known.
  func record(actualReadBytes: Int) -> Bool { true }
}

extension Connection: ReadSizing {
  /// Records the time of a turn, once everything that was read has been handled.
  func turnEnded() {
    guard turnBytes > 0 else { return }
    let now = NIODeadline.now().uptimeNanoseconds
    readSize.turned(bytes: turnBytes, nanoseconds: now &- turnStart)
    share.turned(nanoseconds: now &- turnStart, now: now)
    turnBytes = 0
  }
}
