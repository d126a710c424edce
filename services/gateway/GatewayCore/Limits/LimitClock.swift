import Dispatch

/// The clock of the partners' rates: it does not go back. The system's, or a test's.
public struct LimitClock: Sendable {
  private let read: @Sendable () -> Int64

  /// - Parameter read: Nanoseconds since any fixed moment.
  public init(_ read: @escaping @Sendable () -> Int64) { self.read = read }

  /// The time since the machine started, less what it slept.
  public static let system = LimitClock { Int64(DispatchTime.now().uptimeNanoseconds) }

  var nanoseconds: Int64 { read() }
}
