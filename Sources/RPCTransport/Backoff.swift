/// How long a client waits between attempts to connect.
/// Source: gRPC's connection-backoff document; the defaults are its own.
public struct ConnectBackoff: Sendable, Hashable {
  /// From the start of the first attempt to that of the second.
  public var initial: Duration
  /// Each wait is this many times the one before.
  public var multiplier: Double
  /// The longest wait, before jitter.
  public var max: Duration
  /// Each wait is randomized by ± this fraction.
  public var jitter: Double

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

/// Where a client is with its waits. A pure value; the randomness comes from outside.
struct Backoff: Sendable, Hashable {
  let settings: ConnectBackoff
  private var base: Duration

  init(_ settings: ConnectBackoff) {
    self.settings = settings
    base = Swift.min(settings.initial, settings.max)
  }

  /// The next wait.
  /// - Parameter random: uniform in 0..<1.
  mutating func next(random: Double) -> Duration {
    let wait = base * (1 + settings.jitter * (2 * random - 1))
    base = min(base * settings.multiplier, settings.max)
    return wait
  }

  /// The next wait without its jitter.
  var upcoming: Duration { base }

  /// A connection came about.
  mutating func reset() { base = min(settings.initial, settings.max) }
}
