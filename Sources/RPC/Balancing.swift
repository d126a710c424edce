/// How a channel balances its calls over the backends of its service.
public struct Balancing: Sendable, Hashable {
  /// The load-balancing policy, unless the service config names one.
  public var policy = LoadBalancing.roundRobin
  /// When failing backends are ejected; nil never ejects any.
  public var outlierDetection: OutlierDetection?
  /// How the share of a new backend grows; nil gives it its full share at once.
  public var slowStart: SlowStart?
  /// The most calls in flight at one backend, including those that wait for a stream; further ones
  /// fail with RESOURCE_EXHAUSTED. Source: Envoy's circuit breaker `max_requests`.
  public var callsMax = 10_000
  /// The most calls that wait for a connection at once. Source: Envoy's `max_pending_requests`.
  public var waitersMax = 10_000
  /// The most connections to one backend. Another is opened when SETTINGS_MAX_CONCURRENT_STREAMS is
  /// reached on the existing ones. At the maximum, further calls wait for a stream.
  public var connectionsMax = 1
  /// Whether bulk calls have connections of their own, up to ``connectionsMax`` as well, so that
  /// interactive ones do not queue behind them. A backend serves its connections in turns.
  /// Source: Envoy's pools, one for each routing priority.
  public var separatesBulk = false

  /// Creates the defaults: round robin, without ejection and slow start.
  public init() {}
}

/// Outlier detection: when a failing backend is ejected from load balancing for a while. The names
/// are those of Envoy and gRFC A50.
public struct OutlierDetection: Sendable, Hashable {
  /// The consecutive failures that eject a backend. A failure is UNAVAILABLE, HTTP 502 to 504, a
  /// stream reset, a connection lost with calls on it, or a deadline that passed without any sign
  /// of life from the backend.
  public var consecutiveGatewayFailure = 5
  /// The base of the ejection time: this, times the number of the backend's ejections that still
  /// count.
  public var baseEjectionTime: Duration = .seconds(30)
  /// The upper bound on the ejection time.
  public var maxEjectionTime: Duration = .seconds(300)
  /// The interval without a new ejection after which one of a backend's ejections no longer counts.
  public var interval: Duration = .seconds(10)
  /// While this percentage of the backends is ejected, no further one is; one always may be.
  public var maxEjectionPercent = 50
  /// The panic threshold: with less than this percentage of the backends left, ejected ones are
  /// used as well, since some failing calls are better than all calls on too few backends. Source:
  /// Envoy's `healthy_panic_threshold`.
  public var panicThresholdPercent = 50

  /// Creates the defaults: five failures in a row eject a backend, for 30 s the first time.
  public init() {}
}

/// Slow start: how the share of a new backend grows. Source: Envoy's `slow_start_config`.
public struct SlowStart: Sendable, Hashable {
  /// The time until a new backend has its full share.
  public var window: Duration
  /// The initial share, in percent of the full one.
  public var minWeightPercent: Int

  /// Creates a slow start of that length, from `minWeightPercent` (0 to 100) of a full share on.
  public init(window: Duration, minWeightPercent: Int = 10) {
    self.window = window
    self.minWeightPercent = minWeightPercent
  }
}
