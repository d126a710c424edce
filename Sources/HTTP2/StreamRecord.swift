/// One stream's place in a session's table: its outbound queue and what has been seen of it.
///
/// A pure value; `Session` executes what it says. Records are reused, arrays and all.
struct StreamRecord {
  /// The stream's identifier; 0 when the place is free.
  var id: Int32 = 0
  /// The peer's side has ended.
  var remoteEnded = false
  /// We have reset it; the frame may not be out yet.
  var isReset = false
  /// libnghttp2 waits for us to say that there is more to send.
  var isDeferred = false
  /// Bytes left since the last sweep for stalled streams.
  private var hasMoved = false
  /// Data was received for which no credit has been returned yet.
  var unreadBytes = 0

  private var chunks: [[UInt8]] = []
  private var chunkIndex = 0
  private var offset = 0
  private(set) var pendingBytes = 0
  private(set) var endQueued = false
  private(set) var trailers: HeaderSource?
  /// The owner was told that the queue is full and wants to know when it is not.
  private var wantsWritable = false

  /// What a read of the queue came to.
  struct Filled: Equatable {
    var count: Int
    /// Nothing to send now, more may come.
    var isStarved: Bool
    /// All was sent and the end was queued.
    var isEnd: Bool
    /// The queue fell below the mark and the owner wants to know.
    var becameWritable: Bool
  }

  mutating func open(id: Int32) {
    self.id = id
    remoteEnded = false
    isReset = false
    isDeferred = false
    unreadBytes = 0
    hasMoved = true
    chunkIndex = 0
    offset = 0
    pendingBytes = 0
    endQueued = false
    wantsWritable = false
  }

  mutating func free() {
    id = 0
    chunks.removeAll(keepingCapacity: chunks.capacity <= 16)
    trailers = nil
  }

  /// Appends a chunk; true when the queue now holds `mark` bytes or more.
  mutating func enqueue(_ chunk: [UInt8], mark: Int) -> Bool {
    guard !endQueued else { return false }
    if !chunk.isEmpty { chunks.append(chunk) }
    pendingBytes += chunk.count
    if pendingBytes >= mark { wantsWritable = true }
    return pendingBytes >= mark
  }

  /// Queues the end of our side, behind what is queued already.
  mutating func end(trailers: HeaderSource?) {
    guard !endQueued else { return }
    endQueued = true
    self.trailers = trailers
  }

  /// Whether bytes have waited all the time since the sweep before.
  mutating func isStalled() -> Bool {
    defer { hasMoved = pendingBytes == 0 }
    return id != 0 && pendingBytes > 0 && !hasMoved
  }

  mutating func takeTrailers() -> HeaderSource? {
    defer { trailers = nil }
    return trailers
  }

  /// Moves queued bytes out.
  mutating func fill(_ out: UnsafeMutableRawBufferPointer, mark: Int) -> Filled {
    var written = 0
    while chunkIndex < chunks.count, written < out.count {
      let left = chunks[chunkIndex].count - offset
      let count = min(left, out.count - written)
      unsafe chunks[chunkIndex].withUnsafeBytes { bytes in
        unsafe UnsafeMutableRawBufferPointer(rebasing: out[written..<written + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
      }
      written += count
      offset += count
      if count == left {
        chunks[chunkIndex] = []
        chunkIndex += 1
        offset = 0
      }
    }
    pendingBytes -= written
    if written > 0 { hasMoved = true }
    if chunkIndex == chunks.count {
      chunks.removeAll(keepingCapacity: true)
      chunkIndex = 0
    }
    let becameWritable = wantsWritable && pendingBytes < mark
    if becameWritable { wantsWritable = false }
    let isEmpty = pendingBytes == 0
    return Filled(
      count: written, isStarved: written == 0 && isEmpty && !endQueued,
      isEnd: isEmpty && endQueued, becameWritable: becameWritable)
  }
}
