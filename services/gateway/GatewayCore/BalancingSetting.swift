import RPC

/// Load balancing over the replicas of each service. Names and meaning are Envoy's.
public struct BalancingSetting: Codable, Sendable, Hashable {
  /// `round_robin`, or `least_request`: the less loaded of two replicas chosen at random.
  public var policy: String
  /// Consecutive failures after which a replica is ejected; 0 disables ejection.
  public var consecutiveGatewayFailure: Int
  /// Ejection time in seconds, multiplied by the number of times that the replica was ejected.
  public var baseEjectionSeconds: Int
  /// Upper bound of the ejection time, in seconds.
  public var maxEjectionSeconds: Int
  /// Percentage of a service's replicas that may be ejected at once; one always may.
  public var maxEjectionPercent: Int
  /// When fewer than this percentage of the replicas are left, ejected replicas are used too.
  public var panicThresholdPercent: Int
  /// Time until a new replica gets its full share of calls, in seconds; 0: at once.
  public var slowStartSeconds: Int
  /// Concurrent calls to one replica, at most.
  public var callsMax: Int
  /// Calls that may wait for a connection to a service, at most.
  public var waitingCallsMax: Int
  /// Connections of an event loop to one replica, at most; another is opened when those there are
  /// take no more calls. As many again carry bulk traffic: streams of requests, long requests, and
  /// the calls of clients that make many at once.
  public var connectionsMax: Int

  enum CodingKeys: String, CodingKey {
    case policy
    case consecutiveGatewayFailure = "consecutive_gateway_failure"
    case baseEjectionSeconds = "base_ejection_seconds"
    case maxEjectionSeconds = "max_ejection_seconds"
    case maxEjectionPercent = "max_ejection_percent"
    case panicThresholdPercent = "panic_threshold_percent"
    case slowStartSeconds = "slow_start_seconds"
    case callsMax = "calls_max"
    case waitingCallsMax = "waiting_calls_max"
    case connectionsMax = "connections_max"
  }

  /// The defaults.
  public init() {
    policy = "round_robin"
    consecutiveGatewayFailure = 5
    baseEjectionSeconds = 30
    maxEjectionSeconds = 300
    maxEjectionPercent = 50
    panicThresholdPercent = 50
    slowStartSeconds = 5
    callsMax = 100_000
    waitingCallsMax = 1_000
    connectionsMax = 4
  }

  private static let policies: [String: LoadBalancing] = [
    "round_robin": .roundRobin, "least_request": .leastRequest(choices: 2),
  ]

  func faults() -> [String] {
    let bounds: [(CodingKeys, Int, ClosedRange<Int>)] = [
      (.consecutiveGatewayFailure, consecutiveGatewayFailure, 0...1_000),
      (.baseEjectionSeconds, baseEjectionSeconds, 1...3_600),
      (.maxEjectionSeconds, maxEjectionSeconds, 1...86_400),
      (.maxEjectionPercent, maxEjectionPercent, 0...100),
      (.panicThresholdPercent, panicThresholdPercent, 0...100),
      (.slowStartSeconds, slowStartSeconds, 0...3_600),
      (.callsMax, callsMax, 1...1_000_000),
      (.waitingCallsMax, waitingCallsMax, 0...1_000_000),
      (.connectionsMax, connectionsMax, 1...1_000),
    ]
    var wrong = bounds.filter { !$0.2.contains($0.1) }.map {
      "balancing.\($0.0.rawValue): \($0.2.lowerBound) to \($0.2.upperBound)"
    }
    if Self.policies[policy] == nil {
      wrong.append("balancing.policy: \(Self.policies.keys.sorted().joined(separator: " or "))")
    }
    return wrong
  }

  /// The setting as ClientChannel takes it.
  var balancing: Balancing {
    var balancing = Balancing()
    balancing.policy = Self.policies[policy] ?? .roundRobin
    if consecutiveGatewayFailure > 0 {
      var outliers = OutlierDetection()
      outliers.consecutiveGatewayFailure = consecutiveGatewayFailure
      outliers.baseEjectionTime = .seconds(baseEjectionSeconds)
      outliers.maxEjectionTime = .seconds(max(baseEjectionSeconds, maxEjectionSeconds))
      outliers.maxEjectionPercent = maxEjectionPercent
      outliers.panicThresholdPercent = panicThresholdPercent
      balancing.outlierDetection = outliers
    }
    if slowStartSeconds > 0 { balancing.slowStart = SlowStart(window: .seconds(slowStartSeconds)) }
    balancing.callsMax = callsMax
    balancing.waitersMax = waitingCallsMax
    balancing.connectionsMax = connectionsMax
    balancing.separatesBulk = true
    return balancing
  }
}
