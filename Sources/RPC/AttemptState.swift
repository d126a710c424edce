/// Which attempts a call makes: retries, hedges, and one transparent retry of what a server surely
/// never processed. A pure value: no clock, no randomness, no exchange. Source: gRFC A6.
package struct AttemptState: Sendable, Hashable {
  package enum Input: Sendable, Hashable {
    /// The head of a response has come, or that attempt is the one for another reason.
    case answered(Int)
    /// An attempt failed before that. Random is uniform in 0..<1, for the jitter.
    case failed(Int, AttemptFailure, isThrottled: Bool, random: Double)
    /// The time of the last `schedule` has come.
    case due(isThrottled: Bool)
  }

  package enum Action: Sendable, Hashable {
    /// Others are still under way, or nothing matters any more.
    case none
    /// Begin an attempt; the server is told how many went before. `next`: then schedule.
    case start(previous: Int, next: Duration?)
    /// Send `due` after that time; replaces what was scheduled.
    case schedule(Duration)
    /// What became of that attempt is what became of the call; the others are given up.
    case settle(Int)
  }

  package let rule: MethodConfig.Execution
  /// Attempts of the policy so far; a transparent one does not count.
  private var begun = 1
  /// All attempts so far: the next one's number, less one.
  private(set) var count = 1
  private var running = 1
  private var isScheduled = false
  private var hadTransparent = false
  private var hedgesStopped = false
  /// The attempt that failed last, whose failure is the call's when no other is left.
  private var lastFailed = 1
  /// Retries since the server last named a time.
  private var sincePushback = 0
  package private(set) var isSettled = false

  /// The state of a call whose first attempt begins now, with when to send `due`.
  package init(_ rule: MethodConfig.Execution) {
    self.rule = rule
    if case .hedge = rule { isScheduled = attemptsMax > 1 }
  }

  /// When the first hedge is due.
  package var firstSchedule: Duration? {
    if case .hedge(let policy) = rule, isScheduled { return policy.hedgingDelay }
    return nil
  }

  private var attemptsMax: Int {
    switch rule {
    case .once: 1
    case .retry(let policy): min(policy.attemptsMax, RetryPolicy.attemptsLimit)
    case .hedge(let policy): min(policy.attemptsMax, RetryPolicy.attemptsLimit)
    }
  }

  package mutating func apply(_ input: Input) -> Action {
    if isSettled { return .none }
    switch input {
    case .answered(let attempt): return settle(attempt)
    case .due(let isThrottled):
      guard isScheduled else { return .none }
      isScheduled = false
      if case .hedge = rule, isThrottled { hedgesStopped = true }
      // A retry was allowed when it was scheduled.
      if !hedgesStopped { return begin() }
      return running == 0 ? settle(lastFailed) : .none
    case .failed(let attempt, let failure, let isThrottled, let random):
      running -= 1
      lastFailed = attempt
      return failed(attempt, failure, isThrottled: isThrottled, random: random)
    }
  }

  private mutating func failed(
    _ attempt: Int, _ failure: AttemptFailure, isThrottled: Bool, random: Double
  ) -> Action {
    if failure.isUnprocessed, !hadTransparent {
      hadTransparent = true
      count += 1
      running += 1
      return .start(previous: begun - 1, next: nil)
    }
    switch rule {
    case .once: return settle(attempt)
    case .retry(let policy):
      guard policy.retryableCodes.contains(failure.error.code), !isThrottled,
        failure.pushback != .stop, begun < attemptsMax
      else { return settle(attempt) }
      isScheduled = true
      if case .after(let wait) = failure.pushback {
        sincePushback = 0
        return .schedule(wait)
      }
      defer { sincePushback += 1 }
      return .schedule(policy.backoff(sincePushback, random: random))
    case .hedge(let policy):
      guard policy.nonFatalCodes.contains(failure.error.code) else { return settle(attempt) }
      if isThrottled || failure.pushback == .stop { hedgesStopped = true }
      if hedgesStopped || begun == attemptsMax {
        isScheduled = false
        return running == 0 ? settle(attempt) : .none
      }
      guard case .after(let wait) = failure.pushback else { return begin() }
      isScheduled = true
      return .schedule(wait)
    }
  }

  private mutating func begin() -> Action {
    begun += 1
    count += 1
    running += 1
    guard case .hedge(let policy) = rule else { return .start(previous: begun - 1, next: nil) }
    isScheduled = begun < attemptsMax
    return .start(previous: begun - 1, next: isScheduled ? policy.hedgingDelay : nil)
  }

  private mutating func settle(_ attempt: Int) -> Action {
    isSettled = true
    return .settle(attempt)
  }

  /// Whether a failure takes a token of the channel's throttle.
  package func costsToken(_ failure: AttemptFailure) -> Bool {
    switch rule {
    case .once: false
    case .retry(let policy):
      policy.retryableCodes.contains(failure.error.code) || failure.pushback == .stop
    case .hedge(let policy):
      policy.nonFatalCodes.contains(failure.error.code) || failure.pushback == .stop
    }
  }
}

/// An attempt that failed before its response's head.
package struct AttemptFailure: Error, Sendable, Hashable {
  /// What the server says about trying again, in `grpc-retry-pushback-ms`.
  package enum Pushback: Sendable, Hashable {
    case none
    case after(Duration)
    case stop
  }

  package var error: RPCError
  package var pushback = Pushback.none
  /// No server can have carried the call out.
  package var isUnprocessed = false

  package init(_ error: RPCError, pushback: Pushback = .none, isUnprocessed: Bool = false) {
    self.error = error
    self.pushback = pushback
    self.isUnprocessed = isUnprocessed
  }
}

extension AttemptFailure.Pushback {
  /// Reads the header; one that is no number of milliseconds means no more attempts.
  init(_ fields: HeaderList) {
    guard let text = fields["grpc-retry-pushback-ms"] else {
      self = .none
      return
    }
    // A bound on what a server can make us wait: the header's own 32 bits.
    guard let milliseconds = Int32(text), milliseconds >= 0 else {
      self = .stop
      return
    }
    self = .after(.milliseconds(Int64(milliseconds)))
  }
}

extension RetryPolicy {
  /// gRFC A6: ± 20 % of the wait.
  private static let jitter = 0.2

  /// The wait before a retry, the first being 0.
  func backoff(_ retry: Int, random: Double) -> Duration {
    var wait = initialBackoff
    for _ in 0..<retry { wait = min(wait * backoffMultiplier, maxBackoff) }
    return min(wait, maxBackoff) * (1 + Self.jitter * (2 * random - 1))
  }
}
