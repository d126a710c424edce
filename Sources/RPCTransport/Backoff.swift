/// The backoff of a client between connection attempts.
/// Source: gRPC's connection-backoff document; the defaults are its own.
public struct ConnectBackoff: Sendable, Hashable {
  /// The time from the start of the first attempt to the start of the second.
  public var initial: Duration
  /// The factor from one wait to the next.
  public var multiplier: Double
  /// The longest wait, before jitter.
  public var max: Duration
  /// The fraction by which each wait is randomized, in either direction.
  public var jitter: Double

  /// Creates a backoff; the defaults are gRPC's.
  public init(
    initial: Duration = .seconds(1), multiplier: Double = 1.6, max: Duration = .seconds(120),
    jitter: Double = 0.2
  ) {
    self.initial = initial
    self.multiplier = multiplier
    self.max = max
    self.jitter = jitter
  }
}

/// The state of a client's backoff. A pure value; the randomness is passed in.
struct Backoff: Sendable, Hashable {
  let settings: ConnectBackoff
  private var base: Duration

  init(_ settings: ConnectBackoff) {
    self.settings = settings
    base = Swift.min(settings.initial, settings.max)
  }

  /// Returns the next wait.
  /// - Parameter random: Uniform in 0..<1.
  mutating func next(random: Double) -> Duration {
    let wait = base * (1 + settings.jitter * (2 * random - 1))
    base = min(base * settings.multiplier, settings.max)
    return wait
  }

  /// The next wait without its jitter.
  var upcoming: Duration { base }

  /// Resets the backoff after a successful attempt.
  mutating func reset() { base = min(settings.initial, settings.max) }
}
