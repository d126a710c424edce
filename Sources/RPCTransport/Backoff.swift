/// How long to wait between attempts to connect: 1 s, times 1.6 each, up to 120 s, each ± 20 %.
/// Source: gRPC's connection-backoff document. A pure value; the randomness comes from outside.
struct Backoff: Sendable, Hashable {
  static let first: Duration = .seconds(1)
  static let factor = 1.6
  static let largest: Duration = .seconds(120)
  static let jitter = 0.2

  private var base = Backoff.first

  /// The next wait.
  /// - Parameter random: uniform in 0..<1.
  mutating func next(random: Double) -> Duration {
    let wait = base * (1 + Self.jitter * (2 * random - 1))
    base = min(base * Self.factor, Self.largest)
    return wait
  }

  /// A connection came about.
  mutating func reset() { base = Self.first }
}
