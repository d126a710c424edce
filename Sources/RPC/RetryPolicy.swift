/// When a failed call is tried again, by service config. Source: gRFC A6.
public struct RetryPolicy: Sendable, Hashable {
  /// Attempts of one call, whatever the policy says; gRFC A6, "Maximum Number of Retries".
  public static let attemptsLimit = 5

  /// The first attempt and its retries together: 2 to 5; more counts as 5.
  public var attemptsMax: Int
  /// Before the first retry, ± 20 %.
  public var initialBackoff: Duration
  public var maxBackoff: Duration
  /// Each wait is that many times the one before.
  public var backoffMultiplier: Double
  public var retryableCodes: Set<RPCError.Code>

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

/// When a call is sent several times at once, the first answer winning. Only for methods that may
/// be carried out more than once. Source: gRFC A6.
public struct HedgingPolicy: Sendable, Hashable {
  /// Attempts together: 2 to 5; more counts as 5.
  public var attemptsMax: Int
  /// From one attempt to the next; zero sends all at once.
  public var hedgingDelay: Duration
  /// A failure with one of these lets the next attempt begin at once; any other ends the call.
  public var nonFatalCodes: Set<RPCError.Code>

  public init(
    attemptsMax: Int = 2, hedgingDelay: Duration = .zero,
    nonFatalCodes: Set<RPCError.Code> = []
  ) {
    self.attemptsMax = attemptsMax
    self.hedgingDelay = hedgingDelay
    self.nonFatalCodes = nonFatalCodes
  }
}

/// How much a channel may retry, over all its calls. Source: gRFC A6, "Throttling".
public struct RetryThrottling: Sendable, Hashable {
  /// The bucket's size, 1 to 1000: there are retries while it is more than half full.
  public var tokensMax: Double
  /// What a successful call puts back; a failed one takes a whole token.
  public var tokenRatio: Double

  public init(tokensMax: Double, tokenRatio: Double) {
    self.tokensMax = tokensMax
    self.tokenRatio = tokenRatio
  }
}
