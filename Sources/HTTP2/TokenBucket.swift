/// A token bucket with a burst and a rate. It has no clock: each event brings its time.
struct TokenBucket: Sendable, Hashable {
  private let rate: SessionLimits.Rate
  private var tokens: UInt64
  private var refilledAtSecond: UInt64?

  init(_ rate: SessionLimits.Rate) {
    self.rate = rate
    tokens = rate.burst
  }

  /// Takes a token; returns false if none is left, which means that the peer exceeds its rate.
  mutating func take(nowNanoseconds: UInt64) -> Bool {
    let second = nowNanoseconds / 1_000_000_000
    if let last = refilledAtSecond, second > last {
      let (gained, overflow) = (second - last).multipliedReportingOverflow(by: rate.perSecond)
      tokens = overflow ? rate.burst : min(rate.burst, tokens + min(gained, rate.burst))
      refilledAtSecond = second
    } else if refilledAtSecond == nil {
      refilledAtSecond = second
    }
    guard tokens > 0 else { return false }
    tokens -= 1
    return true
  }
}
