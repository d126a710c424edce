import Dispatch

/// A monotonic clock for the partners' rates: the system's, or a test's.
public struct LimitClock: Sendable {
  private let read: @Sendable () -> Int64

  /// - Parameter read: Returns nanoseconds since an arbitrary fixed instant.
  public init(_ read: @escaping @Sendable () -> Int64) { self.read = read }

  /// The time since the machine booted, without the time that it was suspended.
  public static let system = LimitClock { Int64(DispatchTime.now().uptimeNanoseconds) }

  var nanoseconds: Int64 { read() }
}
