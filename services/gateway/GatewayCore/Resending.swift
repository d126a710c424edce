import Synchronization

/// The retry policy of one call whose response has not begun. A pure value: budget, time and
/// randomness come from outside. Source: gRFC A6; Envoy's retry budget and backoff.
struct Resending: Sendable, Hashable {
  /// How an attempt failed.
  enum Failure: Sendable, Hashable, CaseIterable {
    /// The service certainly did not process it.
    case unprocessed
    /// The service, or a proxy in front of it, answered UNAVAILABLE before any response.
    case refused
    /// The connection or the stream broke: the outcome is unknown.
    case lost
  }

  enum Verdict: Sendable, Hashable {
    case giveUp
    case atOnce
    case after(Duration)
  }

  /// Attempts per call, the first included.
  static let attemptsMax = 3
  /// Longest pause before the second attempt, drawn at random; twice as long before the third.
  private static let pause = Duration.milliseconds(25)

  /// Whether the method may be executed twice.
  let isIdempotent: Bool
  private(set) var attempts = 1

  init(isIdempotent: Bool) { self.isIdempotent = isIdempotent }

  /// Returns whether to make another attempt, and counts it.
  /// - Parameters:
  ///   - mayRetry: Withdraws from the retry budget; called only where the verdict depends on it.
  ///   - random: Uniform in 0..<1.
  mutating func verdict(
    on failure: Failure, mayRetry: () -> Bool, random: () -> Double
  ) -> Verdict {
    guard attempts < Self.attemptsMax else { return .giveUp }
    if failure == .unprocessed {
      attempts += 1
      return .atOnce
    }
    guard isIdempotent, mayRetry() else { return .giveUp }
    defer { attempts += 1 }
    return .after(Self.pause * attempts * random())
  }
}

/// The retry budget of a service: a fifth of its calls may be retries, and a reserve on top, so
/// that a service in trouble does not get several times its load. Retries of calls that were
/// certainly not processed are free.
///
/// While nothing fails, a call costs one atomic load. Safe to use from any thread. Source: Envoy's
/// `retry_budget`, `budget_percent` 20.
final class RetryBudget: Sendable {
  static let percent = 20
  /// Retries that may be made at once, without further calls.
  static let reserve = 100

  private static let retry = 100
  /// The balance, in hundredths of a retry.
  private let left = Atomic<Int>(reserve * retry)

  /// Credits a new call.
  func deposit() {
    guard left.load(ordering: .relaxed) < Self.reserve * Self.retry else { return }
    left.add(Self.percent, ordering: .relaxed)
  }

  /// Withdraws one retry; returns false where the balance is too low.
  func withdraw() -> Bool {
    if left.subtract(Self.retry, ordering: .relaxed).oldValue >= Self.retry { return true }
    left.add(Self.retry, ordering: .relaxed)
    return false
  }
}
