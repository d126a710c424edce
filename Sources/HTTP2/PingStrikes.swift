/// Counts PING frames that come too often. A pure value; the time comes with each ping.
/// Source: gRFC A8, server enforcement.
struct PingStrikes {
  private let limits: SessionLimits.Pings
  private var lastNanoseconds: UInt64?
  private var strikes = 0

  init(_ limits: SessionLimits.Pings) { self.limits = limits }

  /// We have sent HEADERS or DATA: a ping after that is reasonable.
  mutating func forgive() {
    lastNanoseconds = nil
    strikes = 0
  }

  /// Takes a ping; false when there have been too many.
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
