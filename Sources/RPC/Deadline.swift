/// The time, on the monotonic clock, at which a call fails with DEADLINE_EXCEEDED.
public struct Deadline: Sendable, Hashable, Comparable {
  private let moment: Moment

  private init(_ moment: Moment) { self.moment = moment }

  /// Creates the deadline that passes at `instant`.
  public init(_ instant: ContinuousClock.Instant) { moment = Moment(instant) }

  /// The instant at which the deadline passes.
  public var instant: ContinuousClock.Instant { moment.instant }

  /// Returns the deadline that passes `duration` from now.
  public static func after(_ duration: Duration) -> Deadline {
    Deadline(Moment.now + duration)
  }

  /// The remaining time; negative once the deadline has passed.
  public var remaining: Duration { moment - Moment.now }

  /// Whether no time is left.
  public var hasPassed: Bool { remaining <= .zero }

  /// Returns whether the first one passes earlier.
  public static func < (a: Deadline, b: Deadline) -> Bool { a.moment < b.moment }

  /// Returns the deadline for a downstream call: the remaining time less min(20 ms, 10 %), so that
  /// the inner error reaches the caller before the outer deadline passes.
  public func shaved() -> Deadline {
    let left = remaining
    guard left > .zero else { return self }
    return Deadline(moment + (.zero - min(.milliseconds(20), left / 10)))
  }
}
