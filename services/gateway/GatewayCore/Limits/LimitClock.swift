/// The clock of the partners' rates: it does not go back. The system's, or a test's.
public struct LimitClock: Sendable {
  private let read: @Sendable () -> Int64

  /// - Parameter read: Nanoseconds since any fixed moment.
  public init(_ read: @escaping @Sendable () -> Int64) { self.read = read }

  private static let origin = ContinuousClock.now

  /// The continuous clock, since it was first asked.
  public static let system = LimitClock {
    let passed = (ContinuousClock.now - origin).components
    return passed.seconds * 1_000_000_000 + passed.attoseconds / 1_000_000_000
  }

  var nanoseconds: Int64 { read() }
}
