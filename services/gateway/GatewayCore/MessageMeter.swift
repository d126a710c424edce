import RPC

/// Parses the length prefixes of a gRPC body as its chunks pass and detects a message over the size
/// limit at its prefix, before any of it is forwarded. It buffers and copies nothing. A pure value.
struct MessageMeter: Sendable, Hashable {
  let messageBytesMax: Int
  /// Bytes of the current prefix that have passed.
  private var prefixSeen = 0
  private var length = 0
  /// The length of the current message.
  private var whole = 0
  /// Bytes of the current message that have yet to pass.
  private var left = 0

  init(messageBytesMax: Int) { self.messageBytesMax = messageBytesMax }

  /// Whether the body is between two messages.
  var isAtBoundary: Bool { prefixSeen == 0 && left == 0 }

  /// Bytes that have passed of a message that is not whole.
  var partBytes: Int { left > 0 ? whole - left : 0 }

  /// Scans the next bytes; returns false where a message in them exceeds the limit.
  mutating func pass(_ chunk: [UInt8]) -> Bool {
    var index = 0
    while index < chunk.count {
      if left > 0 {
        let step = min(left, chunk.count - index)
        left -= step
        index += step
        continue
      }
      // A prefix is the compression flag and a four-byte big-endian length.
      if prefixSeen > 0 { length = length << 8 | Int(chunk[index]) }
      prefixSeen += 1
      index += 1
      if prefixSeen == MessageFramer.prefixBytes {
        guard length <= messageBytesMax else { return false }
        left = length
        whole = length
        length = 0
        prefixSeen = 0
      }
    }
    return true
  }
}
