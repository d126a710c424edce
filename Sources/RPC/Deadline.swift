/// The moment on the monotonic clock at which a call is given up.
public struct Deadline: Sendable, Hashable, Comparable {
  private let moment: Moment

  private init(_ moment: Moment) { self.moment = moment }

  public init(_ instant: ContinuousClock.Instant) { moment = Moment(instant) }

  /// When it passes.
  public var instant: ContinuousClock.Instant { moment.instant }

  /// The moment that long from now.
  public static func after(_ duration: Duration) -> Deadline {
    Deadline(Moment.now + duration)
  }

  /// What is left; negative when it has passed.
  public var remaining: Duration { moment - Moment.now }

  /// Whether no time is left.
  public var hasPassed: Bool { remaining <= .zero }

  public static func < (a: Deadline, b: Deadline) -> Bool { a.moment < b.moment }

  /// What a downstream call gets of this: what is left, less min(20 ms, 10 %), so that the inner
  /// error reaches the caller before the outer deadline fires.
  public func shaved() -> Deadline {
    let left = remaining
    guard left > .zero else { return self }
    return Deadline(moment + (.zero - min(.milliseconds(20), left / 10)))
  }
}
