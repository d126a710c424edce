import GRPCHealthV1
public import Logging
public import RPC
import YijiaTypeV1

extension Router {
  /// What a service's inner link serves: the service and health, with each call logged, its failure
  /// mapped, its caller proven and allowed, in this order.
  ///
  /// - Parameters:
  ///   - service: The service.
  ///   - descriptorSet: Its contract, with the policies.
  ///   - domain: For `ErrorInfo.domain`, for example `members.yijia`.
  ///   - health: What health is asked of.
  ///   - healthCallers: Services that may ask for health, to leave a failing replica out.
  ///   - verifier: Checks the gateway's caller tokens.
  /// - Throws: ``ConfigurationError`` where a method has no policy: it does not start.
  public init(
    serving service: any RPCService, descriptorSet: [UInt8], domain: String,
    health: HealthRegistry, healthCallers: [String], verifier: CallerTokenVerifier, logger: Logger
  ) throws {
    let healthService = HealthService(registry: health)
    var policies = try PolicyTable(descriptorSets: [descriptorSet])
    var open = Policy()
    open.callers = [.service]
    open.services = healthCallers
    for method in healthService.methods { policies.set(open, path: method.descriptor.path) }
    try self.init(
      services: [service, healthService],
      interceptors: [
        CallLog(logger: logger), FailureMapping(domain: domain, logger: logger),
        CallerIdentity(verifier: verifier), PolicyEnforcement(table: policies),
      ])
    try policies.check(methods)
  }
}
