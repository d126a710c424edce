/// The number of bytes that are read from a connection before others of its loop have their turn:
/// as many as keep the loop busy for about a fixed time. A request can be forty bytes or forty
/// thousand. With a fixed number of bytes, a client with small but expensive requests would delay
/// all others.
///
/// A pure value; each turn brings its time.
struct ReadSize {
  /// The time, in nanoseconds, that other connections wait during a turn. It is long enough for
  /// about thirty small calls, so that the concurrent calls of a client are still answered
  /// together.
  static let turnNanosecondsMax: UInt64 = 250_000
  /// The initial and smallest size. A read costs some microseconds by itself and half a dozen
  /// requests fit, so a smaller size would be of no use.
  static let bytesMin = 256

  private let bytesMax: Int
  private(set) var bytes = bytesMin
  /// The largest size so far.
  private(set) var largest = bytesMin

  init(bytesMax: Int) { self.bytesMax = max(bytesMax, Self.bytesMin) }

  /// Adjusts the size after a turn, by the bytes that were read and the time their handling took.
  mutating func turned(bytes count: Int, nanoseconds: UInt64) {
    if nanoseconds > Self.turnNanosecondsMax {
      bytes = max(Self.bytesMin, bytes / 2)
    } else if count >= bytes, nanoseconds < Self.turnNanosecondsMax / 2 {
      bytes = min(bytesMax, bytes * 2)
      largest = max(largest, bytes)
    }
  }
}
