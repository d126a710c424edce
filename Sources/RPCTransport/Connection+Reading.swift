import NIOCore

// How much a server reads of a connection at once.
extension Connection: RecvByteBufferAllocator {
  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
    allocator.buffer(capacity: readSize.bytes)
  }

  /// NIO keeps its last buffer and reads all that fits there, so after a larger one there is no
  /// other way to read less than not to offer that.
  func nextBufferSize() -> Int? { readSize.bytes < readSize.largest ? nil : readSize.bytes }

  /// What matters is known only when the turn is over.
  func record(actualReadBytes: Int) -> Bool { true }

  /// What was read has been seen to.
  func turnEnded() {
    guard turnBytes > 0 else { return }
    let now = NIODeadline.now().uptimeNanoseconds
    readSize.turned(bytes: turnBytes, nanoseconds: now &- turnStart)
    share.turned(nanoseconds: now &- turnStart, now: now)
    turnBytes = 0
  }
}
