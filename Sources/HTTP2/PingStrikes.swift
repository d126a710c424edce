/// Counts PING frames that come too soon after the one before. A pure value; each ping brings its
/// time.
/// Source: gRFC A8, server enforcement.
struct PingStrikes {
  private let limits: SessionLimits.Pings
  private var lastNanoseconds: UInt64?
  private var strikes = 0

  init(_ limits: SessionLimits.Pings) { self.limits = limits }

  /// Whether HEADERS or DATA was sent since the last ping, or there was none yet.
  var isForgiven: Bool { lastNanoseconds == nil }

  /// Resets the count: HEADERS or DATA was sent, after which a ping is reasonable.
  mutating func forgive() {
    lastNanoseconds = nil
    strikes = 0
  }

  /// Takes a ping; returns false if there have been too many.
  mutating func take(nowNanoseconds now: UInt64, hasStreams: Bool) -> Bool {
    defer { lastNanoseconds = now }
    guard let last = lastNanoseconds else { return true }
    let interval =
      hasStreams
      ? limits.intervalMinNanoseconds : limits.idleIntervalMinNanoseconds
    guard now < last &+ interval else { return true }
    strikes += 1
    return strikes <= limits.strikesMax
  }
}
