import Synchronization

/// What counts for the limits of one partner and method, on every event loop alike.
///
/// Safe to use from any thread. A call costs one compare-and-swap for its rate, one addition and
/// one subtraction for the calls at the same time: no lock, no allocation, and nothing that callers
/// of another partner or method touch. So the counts are exact however many loops there are.
final class CallMeter: Sendable {
  /// What was counted; it outlives a change of the limits.
  final class Counts: Sendable {
    /// See ``RateBucket``.
    fileprivate let fullAt = Atomic<Int64>(0)
    fileprivate let running = Atomic<Int>(0)
  }

  /// An answer tells what is left from here on: a caller that keeps well below its limits costs no
  /// header fields.
  private static let noticeShare = 0.25
  /// Until a place among the calls at the same time may be free: a guess, no one knows.
  private static let streamsWait = Duration.seconds(1)

  let limits: MethodLimits
  /// Its calls of a day, where they are limited.
  let quota: QuotaMeter?
  private let counts: Counts
  private let noticeBelow: Int

  init(_ limits: MethodLimits, counts: Counts = Counts(), quota: QuotaMeter? = nil) {
    self.limits = limits
    self.quota = quota
    self.counts = counts
    noticeBelow = limits.rate.map { Int(Double($0.burst) * Self.noticeShare) } ?? 0
  }

  /// Calls that run.
  var running: Int { counts.running.load(ordering: .relaxed) }

  /// Lets a call in, which is to be told to ``end()`` when it is over.
  ///
  /// - Parameter now: Nanoseconds of a clock that does not go back; one clock for a meter.
  /// - Returns: What its answer tells, where little is left.
  /// - Throws: ``GatewayFailure/streamsExceeded(_:)``, ``GatewayFailure/rateExceeded(_:)``; then
  ///   the call did not count.
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

  /// Ends a call that was let in a moment ago and asks to be let in again: gives back what it took.
  func undo() {
    // A bucket's state is a sum of what was taken, whoever took meanwhile.
    if let rate = limits.rate { counts.fullAt.subtract(rate.interval, ordering: .relaxed) }
    end()
  }

  /// Ends a call that was let in.
  func end() { counts.running.subtract(1, ordering: .relaxed) }

  private static func notice(_ rate: RateBucket, left: Int, wait: Int64) -> LimitNotice {
    LimitNotice(
      policy: "rate", quota: Int64(rate.burst),
      window: max(1, (rate.depth + 999_999_999) / 1_000_000_000), left: Int64(left),
      wait: .nanoseconds(wait))
  }
}
