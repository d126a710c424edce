public import Logging
import MembersV1
public import RPC
public import ServiceKit

extension MembersService {
  /// Name of the service in `grpc.health.v1`.
  public static let healthName = "yijia.members.v1.MembersService"

  /// The services that may ask for health over the inner link, to leave a failing replica out.
  private static let neighbors = ["gateway", "stations"]

  /// What the inner link serves: this service and health, each call proven, allowed, logged, and
  /// its failure mapped.
  ///
  /// - Throws: ``ConfigurationError`` where a method has no policy.
  public func router(
    health: HealthRegistry, verifier: CallerTokenVerifier, logger: Logger
  ) throws -> Router {
    try Router(
      serving: [self], contracts: [MembersV1Descriptors.fileDescriptorSet], upkeep: self,
      database: database, domain: "members.yijia", health: health, neighbors: Self.neighbors,
      verifier: verifier, logger: logger)
  }
}
