/// The retry and hedging state machine of one call: retries, hedges, transparent retries of
/// attempts that never left, and at most one of an attempt that the server never processed.
/// A pure value: no clock, no randomness, no exchange. Source: gRFC A6.
package struct AttemptState: Sendable, Hashable {
  package enum Input: Sendable, Hashable {
    /// The call is committed to this attempt, usually because its response head has arrived.
    case answered(Int)
    /// An attempt failed before that. `random` is uniform in 0..<1, for the jitter of the backoff.
    case failed(Int, AttemptFailure, isThrottled: Bool, random: Double)
    /// The delay of the last `schedule` action has elapsed.
    case due(isThrottled: Bool)
  }

  package enum Action: Sendable, Hashable {
    /// Nothing to do: other attempts are running, or the call is settled.
    case none
    /// Start an attempt that sends `previous` as `grpc-previous-rpc-attempts`. Then apply `due`
    /// after `next`, unless that is nil.
    case start(previous: Int, next: Duration?)
    /// Apply `due` after this delay; replaces the delay scheduled before.
    case schedule(Duration)
    /// The outcome of this attempt is that of the call; cancel all others.
    case settle(Int)
  }

  package let rule: MethodConfig.Execution
  /// Attempts that count against the policy's maximum: all but transparent retries.
  private var begun = 1
  /// All attempts so far, which is the number of the latest one.
  private(set) var count = 1
  private var running = 1
  private var isScheduled = false
  private var hadTransparent = false
  private var hedgesStopped = false
  /// The attempt that failed last. Its failure is the call's if no other attempt is left.
  private var lastFailed = 1
  /// Retries since the server's last pushback: the exponent of the backoff.
  private var sincePushback = 0
  package private(set) var isSettled = false

  /// Creates the state of a call whose first attempt starts at the same time.
  package init(_ rule: MethodConfig.Execution) {
    self.rule = rule
    if case .hedge = rule { isScheduled = attemptsMax > 1 }
  }

  /// The delay before the first hedge; nil if the call is not hedged.
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
      // Throttling was checked when this retry was scheduled.
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
    if isTransparent(failure) {
      hadTransparent = hadTransparent || failure.progress == .unprocessed
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

  /// Returns whether the attempt is made again at once and without counting.
  private func isTransparent(_ failure: AttemptFailure) -> Bool {
    failure.progress == .unsent || failure.progress == .unprocessed && !hadTransparent
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

  /// Returns whether a failure takes a token from the channel's retry throttle.
  package func costsToken(_ failure: AttemptFailure) -> Bool {
    if isTransparent(failure) { return false }
    if failure.pushback == .stop { return true }
    return switch rule {
    case .once: false
    case .retry(let policy): policy.retryableCodes.contains(failure.error.code)
    case .hedge(let policy): policy.nonFatalCodes.contains(failure.error.code)
    }
  }
}

/// The failure of an attempt whose response never began: no response head, one that is not gRPC's,
/// or a Trailers-Only response.
package struct AttemptFailure: Error, Sendable, Hashable {
  /// The server's instruction about further attempts, from `grpc-retry-pushback-ms`.
  package enum Pushback: Sendable, Hashable {
    case none
    case after(Duration)
    case stop
  }

  /// How far the request came, which decides whether a transparent retry is safe.
  package enum Progress: Sendable, Hashable {
    /// It never left the client: it is sent again as often as that happens.
    case unsent
    /// The server certainly never processed it: it is sent again once.
    case unprocessed
    /// The server may have processed it.
    case unknown

    init(_ reason: CloseReason?) {
      switch reason {
      case .unsent: self = .unsent
      case .unprocessed: self = .unprocessed
      default: self = .unknown
      }
    }
  }

  package var error: RPCError
  package var pushback = Pushback.none
  package var progress = Progress.unknown

  package init(_ error: RPCError, pushback: Pushback = .none, progress: Progress = .unknown) {
    self.error = error
    self.pushback = pushback
    self.progress = progress
  }
}

extension AttemptFailure.Pushback {
  /// Parses the pushback header. Anything but one non-negative integer means `stop`.
  init(_ fields: HeaderList) {
    guard fields.firstIndex(of: RPCError.pushbackName) != nil else {
      self = .none
      return
    }
    // The header has 32 bits, which bounds the wait that a server can impose.
    guard let milliseconds = fields.only(RPCError.pushbackName).flatMap({ Int32($0) }),
      milliseconds >= 0
    else {
      self = .stop
      return
    }
    self = .after(.milliseconds(Int64(milliseconds)))
  }
}

extension RetryPolicy {
  /// The relative jitter of a backoff, ± 20 %. Source: gRFC A6.
  private static let jitter = 0.2

  /// Returns the backoff before a retry; the first retry is number 0.
  func backoff(_ retry: Int, random: Double) -> Duration {
    var wait = min(initialBackoff, maxBackoff)
    for _ in 0..<retry {
      // Compared before it is multiplied: the product might be more than a duration holds.
      wait = backoffMultiplier < maxBackoff / wait ? wait * backoffMultiplier : maxBackoff
    }
    return wait * (1 + Self.jitter * (2 * random - 1))
  }
}
