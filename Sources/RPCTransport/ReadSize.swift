/// How many bytes of a connection are read before others of its loop have their turn: as many as
/// keep the loop busy for about a fixed time. A request can be forty bytes or forty thousand, so a
/// number of bytes alone would let who asks for much with little hold up everyone else.
///
/// A pure value; the time comes with each turn.
struct ReadSize {
  /// What others wait for while one connection has its turn: some thirty small calls, so that a
  /// client with many calls under way still has them answered together.
  static let turnNanosecondsMax: UInt64 = 250_000
  /// What a connection begins with, and the least: a read costs some microseconds itself and half
  /// a dozen requests fit, so that less would be of no use.
  static let bytesMin = 256

  private let bytesMax: Int
  private(set) var bytes = bytesMin
  /// The largest there was.
  private(set) var largest = bytesMin

  init(bytesMax: Int) { self.bytesMax = max(bytesMax, Self.bytesMin) }

  /// A turn is over: so many bytes were read, and what they asked for took so long.
  mutating func turned(bytes count: Int, nanoseconds: UInt64) {
    if nanoseconds > Self.turnNanosecondsMax {
      bytes = max(Self.bytesMin, bytes / 2)
    } else if count >= bytes, nanoseconds < Self.turnNanosecondsMax / 2 {
      bytes = min(bytesMax, bytes * 2)
      largest = max(largest, bytes)
    }
  }
}
