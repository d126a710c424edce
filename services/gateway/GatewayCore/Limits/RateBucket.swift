/// A token bucket: so many calls at once, and so many a second in the long run. A pure value; what
/// it was left with is one number, so that it can be kept in an atomic and taken from without a
/// lock.
///
/// That number is the moment at which the bucket is full again, in nanoseconds of any clock that
/// does not go back: a call moves it by the time that one token takes to come, and it may not lie
/// further ahead than all of the tokens take.
/// Source: the generic cell rate algorithm, ITU-T I.371, which is the token bucket said so.
struct RateBucket: Sendable, Hashable {
  /// What a call gets.
  enum Take: Sendable, Hashable {
    /// A token: the state behind it, and how many are left.
    case token(fullAt: Int64, left: Int)
    /// None: the time until there is one, in nanoseconds.
    case none(wait: Int64)
  }

  private static let second: Double = 1_000_000_000

  /// Tokens of a full bucket.
  let burst: Int
  /// Until the next token comes, in nanoseconds.
  let interval: Int64

  /// - Parameters:
  ///   - callsPerSecond: 0.001 to 1,000,000.
  ///   - burst: 1 to 1,000,000.
  init(callsPerSecond: Double, burst: Int) {
    self.burst = max(1, min(1_000_000, burst))
    interval = Int64((Self.second / max(0.001, min(1_000_000, callsPerSecond))).rounded())
  }

  /// Until an empty bucket is full, in nanoseconds.
  var depth: Int64 { interval * Int64(burst) }

  /// Takes a token from a bucket in that state.
  func take(fullAt: Int64, now: Int64) -> Take {
    // So far ahead it lies only where the rate was lower before, which counts no more: the bucket
    // is one that gave its last token. A little further it may lie for who read the clock before.
    let isForeign = fullAt > now + depth + Int64(Self.second)
    let next = max(isForeign ? now + depth - interval : fullAt, now) + interval
    let ahead = next - now
    guard ahead <= depth else { return .none(wait: ahead - depth) }
    return .token(fullAt: next, left: Int((depth - ahead) / interval))
  }
}
