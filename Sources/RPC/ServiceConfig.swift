/// The service config: the deadlines, retries and balancing that a service's owner sets for its
/// calls.
///
/// Created in code, or from gRPC's standard JSON with `init(json:)`.
/// Source: gRFC A2 and `grpc/service_config/service_config.proto`.
public struct ServiceConfig: Sendable, Hashable {
  /// The settings by method. An entry that names the method takes precedence over one that names
  /// its service, which takes precedence over one without a name.
  public var methods: [MethodConfig]
  /// The throttling of retries and hedges; nil does not throttle.
  public var retryThrottling: RetryThrottling?
  /// The load-balancing policy; nil leaves it to the channel.
  public var loadBalancing: LoadBalancing?
  /// The service name for client-side health checks by `grpc.health.v1.Health/Watch`; nil makes
  /// none, nor does pick_first. Source: gRFC A17.
  public var healthService: String?

  /// Creates a service config; by default it sets nothing.
  public init(
    methods: [MethodConfig] = [], retryThrottling: RetryThrottling? = nil,
    loadBalancing: LoadBalancing? = nil, healthService: String? = nil
  ) {
    self.methods = methods
    self.retryThrottling = retryThrottling
    self.loadBalancing = loadBalancing
    self.healthService = healthService
  }
}

/// The load-balancing policy: how a channel distributes its calls over backends.
public enum LoadBalancing: Sendable, Hashable {
  /// The first reachable backend, until its connection is lost. Where an attempt takes more than a
  /// quarter of a second, the next backend is tried beside it (gRFC A61). Shuffling makes many
  /// clients choose different ones.
  case pickFirst(shuffled: Bool)
  /// All reachable backends in turn.
  case roundRobin
  /// The one with the fewest calls in flight among a random choice of backends, 2 to 10.
  case leastRequest(choices: Int)
}

/// The settings for the calls of some methods.
public struct MethodConfig: Sendable, Hashable {
  /// The methods that an entry applies to: one, those of a service, or, with both names empty, all.
  public struct Name: Sendable, Hashable {
    /// The full name of the service, `yijia.members.v1.MembersService`; empty for every service.
    public var service: String
    /// The name of the method; empty for every method of the service.
    public var method: String

    /// Creates the name of a method, of a service's methods or, with both parts empty, of all.
    public init(service: String = "", method: String = "") {
      self.service = service
      self.method = method
    }
  }

  /// The treatment of a failed attempt.
  public enum Execution: Sendable, Hashable {
    /// The call fails.
    case once
    /// The call is retried.
    case retry(RetryPolicy)
    /// The call is sent in several attempts.
    case hedge(HedgingPolicy)
  }

  /// The methods that the settings apply to.
  public var names: [Name]
  /// The longest time a call may take; the smaller of this and the caller's own limit applies.
  public var timeout: Duration?
  /// The default for callers that set none.
  public var waitForReady: Bool?
  /// The largest message sent, in bytes; the smaller of this and the caller's own limit applies.
  public var requestBytesMax: Int?
  /// The largest message received, in bytes; the smaller of this and the caller's own limit
  /// applies.
  public var responseBytesMax: Int?
  /// The treatment of failed attempts.
  public var execution: Execution

  /// Creates the settings of these methods; by default calls have no limit and one attempt.
  public init(
    names: [Name], timeout: Duration? = nil, waitForReady: Bool? = nil,
    requestBytesMax: Int? = nil, responseBytesMax: Int? = nil, execution: Execution = .once
  ) {
    self.names = names
    self.timeout = timeout
    self.waitForReady = waitForReady
    self.requestBytesMax = requestBytesMax
    self.responseBytesMax = responseBytesMax
    self.execution = execution
  }
}

/// The methods of a service config, found by name.
struct MethodTable: Sendable {
  private let exact: [String: MethodConfig]
  private let services: [String: MethodConfig]
  private let others: MethodConfig?

  init(_ methods: [MethodConfig]) {
    var exact: [String: MethodConfig] = [:]
    var services: [String: MethodConfig] = [:]
    var others: MethodConfig?
    for method in methods {
      for name in method.names {
        if name.service.isEmpty {
          others = others ?? method
        } else if name.method.isEmpty {
          services[name.service] = services[name.service] ?? method
        } else {
          let path = "/\(name.service)/\(name.method)"
          exact[path] = exact[path] ?? method
        }
      }
    }
    self.exact = exact
    self.services = services
    self.others = others
  }

  func config(_ method: MethodDescriptor) -> MethodConfig? {
    exact[method.path] ?? services[method.service] ?? others
  }
}
