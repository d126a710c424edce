import Synchronization

/// Whether a call whose answer had not begun is sent again. A pure value: budget, time and
/// randomness come from outside. Source: gRFC A6; Envoy's retry budget and backoff.
struct Resending: Sendable, Hashable {
  /// How an attempt failed.
  enum Failure: Sendable, Hashable, CaseIterable {
    /// The service surely never saw it.
    case unprocessed
    /// The service, or what stands before it, said UNAVAILABLE before it answered.
    case refused
    /// The connection or the stream broke: what became of it is not known.
    case lost
  }

  enum Verdict: Sendable, Hashable {
    case giveUp
    case atOnce
    case after(Duration)
  }

  /// Attempts of one call, the first included.
  static let attemptsMax = 3
  /// Before the second attempt, less a part that is drawn by lot; twice as long before the third.
  private static let pause = Duration.milliseconds(25)

  /// Whether it does no harm to carry the method out twice.
  let isIdempotent: Bool
  private(set) var attempts = 1

  init(isIdempotent: Bool) { self.isIdempotent = isIdempotent }

  /// - Parameters:
  ///   - mayRetry: Asked, and counted, only where the answer depends on it.
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

/// How much of a service's calls may be retries: a fifth, so that a service in trouble does not get
/// several times its load, and some more at first. Calls that were surely never seen do not count.
///
/// While nothing fails a call only looks at it. Safe to use from any thread.
/// Source: Envoy's `retry_budget`, `budget_percent` 20.
final class RetryBudget: Sendable {
  static let percent = 20
  /// Retries that may come at once.
  static let reserve = 100

  private static let retry = 100
  /// In hundredths of a retry.
  private let left = Atomic<Int>(reserve * retry)

  /// A call begins.
  func deposit() {
    guard left.load(ordering: .relaxed) < Self.reserve * Self.retry else { return }
    left.add(Self.percent, ordering: .relaxed)
  }

  /// Takes a retry, if there is one.
  func withdraw() -> Bool {
    if left.subtract(Self.retry, ordering: .relaxed).oldValue >= Self.retry { return true }
    left.add(Self.retry, ordering: .relaxed)
    return false
  }
}
