/// The retry policy of a method: when a failed call is retried. Source: gRFC A6.
public struct RetryPolicy: Sendable, Hashable {
  /// The upper bound on the attempts of a call, whatever its policy says. Source: gRFC A6, "Maximum
  /// Number of Retries".
  public static let attemptsLimit = 5

  /// The most attempts, the first one included: 2 to 5. A higher value counts as 5.
  public var attemptsMax: Int
  /// The backoff before the first retry, with a jitter of ± 20 %.
  public var initialBackoff: Duration
  /// The upper bound on the backoff, before jitter.
  public var maxBackoff: Duration
  /// The factor from one backoff to the next.
  public var backoffMultiplier: Double
  /// The status codes that are retried.
  public var retryableCodes: Set<RPCError.Code>

  /// Creates a policy; by default three attempts, for UNAVAILABLE only.
  public init(
    attemptsMax: Int = 3, initialBackoff: Duration = .milliseconds(100),
    maxBackoff: Duration = .seconds(1), backoffMultiplier: Double = 2,
    retryableCodes: Set<RPCError.Code> = [.unavailable]
  ) {
    self.attemptsMax = attemptsMax
    self.initialBackoff = initialBackoff
    self.maxBackoff = maxBackoff
    self.backoffMultiplier = backoffMultiplier
    self.retryableCodes = retryableCodes
  }
}

/// The hedging policy of a method: a call is sent in several attempts at once, and the first
/// response wins. Only for methods that may be executed more than once. Source: gRFC A6.
public struct HedgingPolicy: Sendable, Hashable {
  /// The most attempts: 2 to 5. A higher value counts as 5.
  public var attemptsMax: Int
  /// The time from one attempt to the next; zero sends all at once.
  public var hedgingDelay: Duration
  /// The status codes after which the next attempt starts at once; any other code ends the call.
  public var nonFatalCodes: Set<RPCError.Code>

  /// Creates a policy; by default two attempts at once.
  public init(
    attemptsMax: Int = 2, hedgingDelay: Duration = .zero,
    nonFatalCodes: Set<RPCError.Code> = []
  ) {
    self.attemptsMax = attemptsMax
    self.hedgingDelay = hedgingDelay
    self.nonFatalCodes = nonFatalCodes
  }
}

/// Throttling of retries and hedges, over all calls of a channel. Source: gRFC A6, "Throttling".
public struct RetryThrottling: Sendable, Hashable {
  /// The size of the token bucket, 1 to 1000. Retries are allowed while it is more than half full.
  public var tokensMax: Double
  /// The tokens that a successful call puts back; a failed one takes a whole token.
  public var tokenRatio: Double

  /// Creates a throttling by a bucket of `tokensMax` tokens, to which a success adds `tokenRatio`.
  public init(tokensMax: Double, tokenRatio: Double) {
    self.tokensMax = tokensMax
    self.tokenRatio = tokenRatio
  }
}
