import Foundation

/// The clock of the partners' rates: it does not go back. The system's, or a test's.
public struct LimitClock: Sendable {
  private let read: @Sendable () -> Int64

  /// - Parameter read: Nanoseconds since any fixed moment.
  public init(_ read: @escaping @Sendable () -> Int64) { self.read = read }

  /// The time since the machine started, as the continuous clock counts it.
  public static let system = LimitClock {
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }

  var nanoseconds: Int64 { read() }
}
