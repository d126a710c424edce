/// A token bucket: `burst` calls at once, and a sustained rate in the long run. A pure value. The
/// state is one number, so that it can be kept in an atomic and updated without a lock.
///
/// The state is the instant at which the bucket is full again, in nanoseconds of any monotonic
/// clock: a call moves it ahead by the time in which one token is refilled, and it may lie at most
/// ``depth`` ahead.
/// Source: the generic cell rate algorithm, ITU-T I.371, which is equivalent to a token bucket.
struct RateBucket: Sendable, Hashable {
  /// The result of taking a token.
  enum Take: Sendable, Hashable {
    /// A token was taken: the next state, and the tokens that are left.
    case token(fullAt: Int64, left: Int)
    /// The bucket is empty: the time until the next token, in nanoseconds.
    case none(wait: Int64)
  }

  private static let second: Double = 1_000_000_000

  /// Capacity of the bucket.
  let burst: Int
  /// Time to refill one token, in nanoseconds.
  let interval: Int64

  /// - Parameters:
  ///   - callsPerSecond: 0.001 to 1,000,000.
  ///   - burst: 1 to 1,000,000.
  init(callsPerSecond: Double, burst: Int) {
    self.burst = max(1, min(1_000_000, burst))
    interval = Int64((Self.second / max(0.001, min(1_000_000, callsPerSecond))).rounded())
  }

  /// Time to refill an empty bucket, in nanoseconds.
  var depth: Int64 { interval * Int64(burst) }

  /// Takes a token from a bucket with the state `fullAt`.
  func take(fullAt: Int64, now: Int64) -> Take {
    // The state lies this far ahead only if it stems from a lower rate. Then the bucket counts as
    // one that has just given its last token. A second of tolerance covers callers that read the
    // clock earlier than others.
    let isForeign = fullAt > now + depth + Int64(Self.second)
    let next = max(isForeign ? now + depth - interval : fullAt, now) + interval
    let ahead = next - now
    guard ahead <= depth else { return .none(wait: ahead - depth) }
    return .token(fullAt: next, left: Int((depth - ahead) / interval))
  }
}
