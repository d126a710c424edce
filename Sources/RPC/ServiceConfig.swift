/// What the owner of a service says about calls to it: deadlines, retries, balancing.
///
/// Made in code, or from gRPC's standard JSON with `init(json:)`.
/// Source: gRFC A2 and `grpc/service_config/service_config.proto`.
public struct ServiceConfig: Sendable, Hashable {
  /// Rules for some methods. The one that names the method goes before one that names its
  /// service, which goes before one without a name.
  public var methods: [MethodConfig]
  public var retryThrottling: RetryThrottling?
  /// The first policy that is known; nil leaves it to the channel.
  public var loadBalancing: LoadBalancing?
  /// What `grpc.health.v1.Health/Watch` is asked for; nil asks nothing.
  public var healthService: String?

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

/// How a channel spreads its calls over backends.
public enum LoadBalancing: Sendable, Hashable {
  /// The first backend that can be had, until it is lost. Shuffled, so that many clients spread.
  case pickFirst(shuffled: Bool)
  /// All backends that can be had, in turn.
  case roundRobin
  /// The one with the fewest calls under way among so many drawn by lot, 2 to 10.
  case leastRequest(choices: Int)
}

/// What holds for calls of some methods.
public struct MethodConfig: Sendable, Hashable {
  /// The methods: of one service, or all with neither.
  public struct Name: Sendable, Hashable {
    /// `yijia.members.v1.MembersService`; empty for every service.
    public var service: String
    /// Empty for every method of the service.
    public var method: String

    public init(service: String = "", method: String = "") {
      self.service = service
      self.method = method
    }
  }

  /// What happens to a call whose attempt failed.
  public enum Execution: Sendable, Hashable {
    case once
    case retry(RetryPolicy)
    case hedge(HedgingPolicy)
  }

  /// The methods that this is for.
  public var names: [Name]
  /// The longest a call may take; a caller's own shorter limit holds.
  public var timeout: Duration?
  /// Used where the caller does not say.
  public var waitForReady: Bool?
  /// The largest message sent; a caller's own smaller limit holds.
  public var requestBytesMax: Int?
  /// The largest message received; likewise.
  public var responseBytesMax: Int?
  public var execution: Execution

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

/// A service config's methods, found by name.
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
