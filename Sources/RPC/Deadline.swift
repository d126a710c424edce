/// The moment on the monotonic clock at which a call is given up.
public struct Deadline: Sendable, Hashable, Comparable {
  /// When it passes.
  public let instant: ContinuousClock.Instant

  public init(_ instant: ContinuousClock.Instant) { self.instant = instant }

  /// The moment that long from now.
  public static func after(_ duration: Duration) -> Deadline {
    Deadline(ContinuousClock.now + duration)
  }

  /// What is left; negative when it has passed.
  public var remaining: Duration { ContinuousClock.now.duration(to: instant) }

  /// Whether no time is left.
  public var hasPassed: Bool { remaining <= .zero }

  public static func < (a: Deadline, b: Deadline) -> Bool { a.instant < b.instant }

  /// What a downstream call gets of this: what is left, less min(20 ms, 10 %), so that the inner
  /// error reaches the caller before the outer deadline fires.
  public func shaved() -> Deadline {
    let left = remaining
    guard left > .zero else { return self }
    return Deadline(instant - min(.milliseconds(20), left / 10))
  }
}
