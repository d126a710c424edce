public import RPC

/// The configuration of a client: its backends, and how to connect to them.
public struct ClientConfiguration: Sendable, Hashable {
  /// The backends: addresses, names (all addresses of a name are backends), or `unix:PATH`.
  public var targets: [HostPort]
  /// The TLS settings; nil for plaintext.
  public var tls: ClientTLS?
  /// The value of `:authority`; nil uses the target.
  public var authority: String?
  /// Deadlines, retries, balancing and health checks; see `ServiceConfig.init(json:)`.
  public var serviceConfig: ServiceConfig?
  /// Load balancing, ejection and limits per backend. The service config's policy takes precedence.
  public var balancing = Balancing()
  /// The service that is watched with each backend's `grpc.health.v1.Health/Watch` ("" is the whole
  /// server); backends that do not serve it get no calls. Nil uses the service config's setting,
  /// unless the policy is pick_first (gRFC A17), else makes no health checks.
  public var healthService: String?
  /// Whether each event loop has its own connections to a backend, so that a call stays on the loop
  /// that it was made on: for a proxy, which waits for both sides of a call. Ignored with
  /// pick_first.
  public var connectsPerLoop = false
  /// The limits of each connection.
  public var limits = ConnectionLimits.trusted
  /// The time limit for TCP, TLS and the first SETTINGS, unless the backoff is longer.
  public var connectMax: Duration = .seconds(20)
  /// The backoff between connection attempts, and the pause after the loss of a connection without
  /// calls, unless a call ends that.
  public var backoff = ConnectBackoff()
  /// Keepalive pings, which detect dead connections; nil leaves that to TCP.
  public var keepalive: ClientKeepalive?
  /// The time after which a connection without calls is closed, at the latest after twice as long;
  /// it is made again when needed. Nil keeps it. Source: gRPC's client idle timeout.
  public var idleMax: Duration? = .seconds(30 * 60)
  /// The shortest time between two resolutions of a name, which is resolved again when a connection
  /// is lost.
  /// Source: gRPC's `dns_min_time_between_resolutions`.
  public var resolutionIntervalMin: Duration = .seconds(30)
  /// How many bytes of a request a call buffers for further attempts.
  public var retryBytesMax = 256 << 10

  /// Creates the configuration of a client of these backends, with defaults for everything else.
  public init(targets: [HostPort], tls: ClientTLS? = nil) {
    self.targets = targets
    self.tls = tls
  }

  var policy: LoadBalancing { serviceConfig?.loadBalancing ?? balancing.policy }

  /// Creates the configuration for links between the suite's own services: backends are
  /// health-checked, and a lost connection is detected and replaced within a few seconds.
  public init(inner targets: [HostPort], tls: ClientTLS?) {
    self.init(targets: targets, tls: tls)
    healthService = ""
    connectMax = .seconds(5)
    backoff = ConnectBackoff(initial: .milliseconds(100), max: .seconds(1))
    // A peer that speaks plaintext is not one of ours, and may take pings for an attack.
    if tls != nil {
      keepalive = ClientKeepalive(interval: .seconds(10), timeout: .seconds(5))
    }
  }

  /// Whether each loop has connections of its own.
  var hasLoops: Bool { connectsPerLoop && usesAll }

  /// Whether calls are spread over all backends.
  var usesAll: Bool { if case .pickFirst = policy { false } else { true } }

  /// The service whose health is watched.
  var health: String? { healthService ?? (usesAll ? serviceConfig?.healthService : nil) }
}

/// Keepalive pings of a client, which detect dead connections. Source: gRFC A8.
public struct ClientKeepalive: Sendable, Hashable {
  /// The shortest interval; a shorter one counts as this. Source: gRFC A8.
  public static let intervalMin = Duration.seconds(10)

  /// The time without a byte from the server after which it is pinged; at least 10 s. It doubles
  /// when a server complains of too many pings.
  public var interval: Duration
  /// The time that the server may then be silent before the connection is closed.
  public var timeout: Duration
  /// Whether to ping without calls in flight, too.
  public var permitWithoutCalls: Bool

  /// Creates keepalive; an interval below ``intervalMin`` counts as that.
  public init(
    interval: Duration, timeout: Duration = .seconds(20), permitWithoutCalls: Bool = false
  ) {
    self.interval = interval
    self.timeout = timeout
    self.permitWithoutCalls = permitWithoutCalls
  }
}
