/// The record of one stream in a session's table: its outbound queue and its progress.
///
/// A pure value; `Session` carries out what it returns. Records are reused, arrays included.
struct StreamRecord {
  /// The stream's identifier; 0 if the slot is free.
  var id: Int32 = 0
  /// Whether the peer has ended its side.
  var remoteEnded = false
  /// Whether this side has reset the stream; the frame may not be out yet.
  var isReset = false
  /// Whether the stream stays open when its response ends before its request.
  var isKeptOpen = false
  /// Whether libnghttp2 waits until it is told that there is more to send.
  var isDeferred = false
  /// Whether bytes have left, or none were queued, since the last sweep for stalled streams.
  private var hasMoved = false
  /// Received bytes whose credit was not returned yet.
  var unreadBytes = 0

  private var chunks: [[UInt8]] = []
  private var chunkIndex = 0
  private var offset = 0
  private(set) var pendingBytes = 0
  private(set) var endQueued = false
  private(set) var trailers: HeaderSource?
  /// Whether the owner was told that the queue is full and expects a `writable` event.
  private var wantsWritable = false

  /// The result of reading from the queue.
  struct Filled: Equatable {
    var count: Int
    /// Nothing can be sent now; more may follow.
    var isStarved: Bool
    /// Everything was sent and the end was queued.
    var isEnd: Bool
    /// The queue has fallen below the mark, and the owner expects the event.
    var becameWritable: Bool
  }

  mutating func open(id: Int32) {
    self.id = id
    remoteEnded = false
    isReset = false
    isKeptOpen = false
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

  /// Appends a chunk; returns true if the queue then holds `mark` bytes or more.
  mutating func enqueue(_ chunk: [UInt8], mark: Int) -> Bool {
    guard !endQueued else { return false }
    if !chunk.isEmpty { chunks.append(chunk) }
    pendingBytes += chunk.count
    if pendingBytes >= mark { wantsWritable = true }
    return pendingBytes >= mark
  }

  /// Queues the end of the local side, behind the queued bytes.
  mutating func end(trailers: HeaderSource?) {
    guard !endQueued else { return }
    endQueued = true
    self.trailers = trailers
  }

  /// Returns whether bytes have waited without progress since the previous sweep.
  mutating func isStalled() -> Bool {
    defer { hasMoved = pendingBytes == 0 }
    return id != 0 && pendingBytes > 0 && !hasMoved
  }

  mutating func takeTrailers() -> HeaderSource? {
    defer { trailers = nil }
    return trailers
  }

  /// Moves queued bytes to `out`.
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
