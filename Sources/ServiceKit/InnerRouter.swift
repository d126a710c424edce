import GRPCHealthV1
public import Logging
import Metrics
import OperationsV1
public import RPC
public import Storage
import YijiaTypeV1

extension Router {
  /// What an inner link serves: a service, the operators' tasks, health and reflection, with each
  /// call traced and logged, its failure mapped, its caller proven and allowed, in this order.
  ///
  /// - Parameters:
  ///   - services: The service; none where operators alone call.
  ///   - contracts: Its descriptor set, with the policies.
  ///   - upkeep: What is known of its store.
  ///   - database: The store.
  ///   - domain: For `ErrorInfo.domain`, for example `members.yijia`.
  ///   - health: What health is asked of.
  ///   - neighbors: Services that may ask for health, to leave a failing replica out, and for the
  ///     contract.
  ///   - verifier: Checks the gateway's caller tokens.
  /// - Throws: ``ConfigurationError`` where a method has no policy: it does not start.
  public init(
    serving services: [any RPCService], contracts: [[UInt8]], upkeep: any ServiceUpkeep,
    database: any Database, domain: String, health: HealthRegistry, neighbors: [String],
    verifier: CallerTokenVerifier, logger: Logger
  ) throws {
    let health = HealthService(registry: health)
    let operations = OperationsService(database: database, upkeep: upkeep)
    let served: [any RPCService] = services + [operations, health]
    let contracts = contracts + [OperationsV1Descriptors.fileDescriptorSet]
    let reflection = try ReflectionService(of: served, descriptorSets: contracts)
    var policies = try PolicyTable(descriptorSets: contracts)
    var open = Policy()
    open.callers = [.service]
    open.services = neighbors
    for method in health.methods + reflection.methods {
      policies.set(open, path: method.descriptor.path)
    }
    try self.init(
      services: served + [reflection],
      interceptors: [
        ServerTracing(), CallLog(logger: logger), FailureMapping(domain: domain, logger: logger),
        CallerIdentity(verifier: verifier), PolicyEnforcement(table: policies),
      ])
    try policies.check(methods)
  }
}

extension Dispatcher {
  /// What a process's admin port serves, in plaintext and on loopback only: health as gRPC and as
  /// ``StatusPage``, and `/metrics` where ``Observation`` is bootstrapped.
  /// - Parameters:
  ///   - pages: What else it answers.
  ///   - paths: The paths of `pages`, for the list of pages.
  public convenience init(
    adminOf health: HealthRegistry, pages: [any ExchangeHandler] = [], paths: [String] = [],
    logger: Logger
  ) throws {
    var (pages, paths) = (pages, paths)
    if let registry = MetricsSystem.factory as? MetricsRegistry {
      pages.append(MetricsPage(registry: registry))
      paths.insert(MetricsPage.path, at: 0)
    }
    pages.append(StatusPage(of: health, others: paths))
    self.init(
      router: try Router(services: [HealthService(registry: health)]), handlers: pages,
      logger: logger)
  }
}
