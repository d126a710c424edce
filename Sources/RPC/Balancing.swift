/// How a channel uses the backends of its service.
public struct Balancing: Sendable, Hashable {
  public var policy = LoadBalancing.roundRobin
  /// Leaves out backends whose calls fail; nil leaves none out.
  public var outlierDetection: OutlierDetection?
  /// Lets a backend's share grow when it has just come; nil gives it the whole at once.
  public var slowStart: SlowStart?
  /// Calls under way at one backend, those that wait for a stream included; further ones fail with
  /// RESOURCE_EXHAUSTED. Source: Envoy's circuit breaker `max_requests`.
  public var callsMax = 10_000
  /// Calls that may wait for a connection at once. Source: Envoy's `max_pending_requests`.
  public var waitersMax = 10_000
  /// Connections to one backend: another is made when the peer's SETTINGS_MAX_CONCURRENT_STREAMS
  /// is reached on those there are. With one, further calls wait for a stream.
  public var connectionsMax = 1

  public init() {}
}

/// When a backend whose calls fail is left out for a while. The names are Envoy's and gRFC A50's.
public struct OutlierDetection: Sendable, Hashable {
  /// Failures in a row that make an outlier: UNAVAILABLE, HTTP 502 to 504, a reset, a connection
  /// lost with calls on it, a deadline that passed while nothing at all was heard.
  public var consecutiveGatewayFailure = 5
  /// How long an outlier is left out: this, times the number of its ejections that still count.
  public var baseEjectionTime: Duration = .seconds(30)
  /// The longest ejection.
  public var maxEjectionTime: Duration = .seconds(300)
  /// Each interval without an ejection forgives one of those before.
  public var interval: Duration = .seconds(10)
  /// No further one is left out while this part of the backends is; one always may be.
  public var maxEjectionPercent = 50
  /// With less than this part of the backends left, those left out are used all the same: better
  /// some calls that fail than all calls on too few. Source: Envoy's `healthy_panic_threshold`.
  public var panicThresholdPercent = 50

  public init() {}
}

/// How the share of a backend grows that has just come. Source: Envoy's `slow_start_config`.
public struct SlowStart: Sendable, Hashable {
  /// Until it has its whole share.
  public var window: Duration
  /// What it has at first.
  public var minWeightPercent: Int

  public init(window: Duration, minWeightPercent: Int = 10) {
    self.window = window
    self.minWeightPercent = minWeightPercent
  }
}
