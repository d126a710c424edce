public import RPC

/// How a client connects, and to what.
public struct ClientConfiguration: Sendable, Hashable {
  /// The backends: addresses, names (all addresses of a name are backends), or `unix:PATH`.
  public var targets: [HostPort]
  /// Nil for plaintext.
  public var tls: ClientTLS?
  /// What `:authority` says; by default the target.
  public var authority: String?
  /// Deadlines, retries, balancing and health checks of calls; see `ServiceConfig.init(json:)`.
  public var serviceConfig: ServiceConfig?
  /// How calls are spread, where the service config does not say, and what backends get of them.
  public var balancing = Balancing()
  /// Asks each backend's `grpc.health.v1.Health/Watch` for this service ("" is the whole server)
  /// and leaves out those that are not serving. Nil is as the service config says, else asks
  /// nothing.
  public var healthService: String?
  /// Makes connections to a backend on each event loop that calls come from, so that a call stays
  /// on the loop that it was made on: for a proxy, which waits for both sides of a call. Not with
  /// pick_first.
  public var connectsPerLoop = false
  public var limits = ConnectionLimits.trusted
  /// How long TCP, TLS and the first settings may take, where the backoff is not longer.
  public var connectMax: Duration = .seconds(20)
  /// The time between attempts to connect.
  public var backoff = ConnectBackoff()
  /// Finds connections that are dead; nil leaves that to TCP.
  public var keepalive: ClientKeepalive?
  /// A connection without calls is closed after this time, at the latest after twice as long, and
  /// made again when wanted; nil keeps it. Source: gRPC's client idle timeout.
  public var idleMax: Duration? = .seconds(30 * 60)
  /// A name is looked up again when a connection is lost, at most this often.
  /// Source: gRPC's `dns_min_time_between_resolutions`.
  public var resolutionIntervalMin: Duration = .seconds(30)
  /// What a call keeps of its request, to send it again.
  public var retryBytesMax = 256 << 10

  public init(targets: [HostPort], tls: ClientTLS? = nil) {
    self.targets = targets
    self.tls = tls
  }

  var policy: LoadBalancing { serviceConfig?.loadBalancing ?? balancing.policy }

  /// For links between the suite's own services: what serves is asked for, and what is lost is
  /// found out and made anew within a second or few.
  public init(inner targets: [HostPort], tls: ClientTLS?) {
    self.init(targets: targets, tls: tls)
    healthService = ""
    connectMax = .seconds(5)
    backoff = ConnectBackoff(initial: .milliseconds(100), max: .seconds(1))
    // What speaks plaintext is not ours, and may take pings for an attack.
    if tls != nil {
      keepalive = ClientKeepalive(interval: .seconds(10), timeout: .seconds(5))
    }
  }

  /// Whether each loop has connections of its own.
  var hasLoops: Bool { connectsPerLoop && usesAll }

  /// Whether calls are spread over all backends.
  var usesAll: Bool { if case .pickFirst = policy { false } else { true } }

  var health: String? { healthService ?? serviceConfig?.healthService }
}

/// Pings of a client, to find out that a connection is dead. Source: gRFC A8.
public struct ClientKeepalive: Sendable, Hashable {
  /// Shorter intervals count as this. Source: gRFC A8.
  public static let intervalMin = Duration.seconds(10)

  /// After this long without a byte from the server it is pinged; at least 10 s. Doubled when a
  /// server complains of too many pings.
  public var interval: Duration
  /// How long the server may then be silent before the connection is closed.
  public var timeout: Duration
  /// Ping without calls under way too.
  public var permitWithoutCalls: Bool

  public init(
    interval: Duration, timeout: Duration = .seconds(20), permitWithoutCalls: Bool = false
  ) {
    self.interval = interval
    self.timeout = timeout
    self.permitWithoutCalls = permitWithoutCalls
  }
}
