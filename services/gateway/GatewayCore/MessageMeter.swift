/// Follows the length prefixes of a gRPC body as its chunks pass, and says when a message is longer
/// than allowed: on its prefix, before any of it has gone on. Keeps nothing, copies nothing.
/// A pure value.
struct MessageMeter: Sendable, Hashable {
  private static let prefixBytes = 5

  let messageBytesMax: Int
  /// Bytes of the current prefix that were seen.
  private var prefixSeen = 0
  private var length = 0
  /// Bytes of the current message that are still to come.
  private var left = 0

  init(messageBytesMax: Int) { self.messageBytesMax = messageBytesMax }

  /// Whether the body is between two messages.
  var isAtBoundary: Bool { prefixSeen == 0 && left == 0 }

  /// Looks at the next bytes; false where a message in them is too long.
  mutating func pass(_ chunk: [UInt8]) -> Bool {
    var index = 0
    while index < chunk.count {
      if left > 0 {
        let step = min(left, chunk.count - index)
        left -= step
        index += step
        continue
      }
      // The first byte is the compression flag; four of length follow, most significant first.
      if prefixSeen > 0 { length = length << 8 | Int(chunk[index]) }
      prefixSeen += 1
      index += 1
      if prefixSeen == Self.prefixBytes {
        guard length <= messageBytesMax else { return false }
        left = length
        length = 0
        prefixSeen = 0
      }
    }
    return true
  }
}
