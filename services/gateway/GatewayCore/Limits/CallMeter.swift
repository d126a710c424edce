import Synchronization

/// Enforces the limits of one partner and method, across all event loops.
///
/// Safe to use from any thread. A call costs one compare-and-swap for its rate, and one addition
/// and one subtraction for its concurrency: no lock, no allocation, and nothing shared with other
/// partners or methods. So the counts are exact, however many loops there are.
final class CallMeter: Sendable {
  /// The counters, which outlive a change of the limits.
  final class Counts: Sendable {
    /// The bucket's state, see ``RateBucket``.
    fileprivate let fullAt = Atomic<Int64>(0)
    fileprivate let running = Atomic<Int>(0)
  }

  /// Responses carry rate limit fields only while less than this share of the burst is left: a
  /// caller well below its limits costs no header fields.
  private static let noticeShare = 0.25
  /// Suggested wait for a concurrency slot. It is a guess: nothing predicts when a call ends.
  private static let streamsWait = Duration.seconds(1)

  let limits: MethodLimits
  /// The daily quota, if there is one.
  let quota: QuotaMeter?
  private let counts: Counts
  private let noticeBelow: Int

  init(_ limits: MethodLimits, counts: Counts = Counts(), quota: QuotaMeter? = nil) {
    self.limits = limits
    self.quota = quota
    self.counts = counts
    noticeBelow = limits.rate.map { Int((Double($0.burst) * Self.noticeShare).rounded(.up)) } ?? 0
  }

  /// Number of running calls.
  var running: Int { counts.running.load(ordering: .relaxed) }

  /// Admits a call. Each admitted call is to be paired with one ``end()``.
  ///
  /// - Parameter now: Nanoseconds of a monotonic clock; always the same clock for one meter.
  /// - Returns: The rate limit fields of the response, where little is left.
  /// - Throws: ``GatewayFailure/streamsExceeded(_:)``, ``GatewayFailure/rateExceeded(_:)``; the
  ///   call was not counted then.
  func begin(now: Int64) throws(GatewayFailure) -> LimitNotice? {
    let running = counts.running.add(1, ordering: .relaxed).newValue
    if let most = limits.streamsMax, running > most {
      end()
      throw .streamsExceeded(
        LimitNotice(
          policy: "streams", quota: Int64(most), window: nil, left: 0, wait: Self.streamsWait))
    }
    guard let rate = limits.rate else { return nil }
    var fullAt = counts.fullAt.load(ordering: .relaxed)
    while true {
      switch rate.take(fullAt: fullAt, now: now) {
      case .none(let wait):
        end()
        throw .rateExceeded(Self.notice(rate, left: 0, wait: wait))
      case .token(let next, let left):
        let swap = counts.fullAt.weakCompareExchange(
          expected: fullAt, desired: next, ordering: .relaxed)
        guard swap.exchanged else {
          fullAt = swap.original
          continue
        }
        return left < noticeBelow ? Self.notice(rate, left: left, wait: next - now) : nil
      }
    }
  }

  /// Reverts an admission: ends the call and returns its token, as it is about to be admitted
  /// again.
  func undo() {
    // Safe beside other takers, as the state is the sum of all tokens taken.
    if let rate = limits.rate { counts.fullAt.subtract(rate.interval, ordering: .relaxed) }
    end()
  }

  /// Ends an admitted call.
  func end() { counts.running.subtract(1, ordering: .relaxed) }

  private static func notice(_ rate: RateBucket, left: Int, wait: Int64) -> LimitNotice {
    LimitNotice(
      policy: "rate", quota: Int64(rate.burst),
      window: max(1, (rate.depth + 999_999_999) / 1_000_000_000), left: Int64(left),
      wait: .nanoseconds(wait))
  }
}
