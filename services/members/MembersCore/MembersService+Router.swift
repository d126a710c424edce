public import Logging
import GRPCHealthV1
import MembersV1
public import RPC
public import ServiceKit
import YijiaTypeV1

extension MembersService {
  /// Name of the service in `grpc.health.v1`.
  public static let healthName = "yijia.members.v1.MembersService"

  /// The services that may ask for health over the inner link, to leave a failing replica out.
  private static let healthCallers = ["gateway", "stations"]

  /// What the inner link serves: this service and health, each call proven, allowed, logged, and its
  /// failure mapped.
  ///
  /// - Throws: ``ConfigurationError`` where a method has no policy.
  public func router(
    health: HealthRegistry, verifier: CallerTokenVerifier, logger: Logger
  ) throws -> Router {
    let healthService = HealthService(registry: health)
    var policies = try PolicyTable(
      descriptorSets: [MembersV1Descriptors.fileDescriptorSet])
    var open = Policy()
    open.callers = [.service]
    open.services = Self.healthCallers
    for method in healthService.methods { policies.set(open, path: method.descriptor.path) }
    let router = try Router(
      services: [self, healthService],
      interceptors: [
        CallLog(logger: logger), FailureMapping(domain: "members.yijia", logger: logger),
        CallerIdentity(verifier: verifier), PolicyEnforcement(table: policies),
      ])
    try policies.check(router.methods)
    return router
  }
}
