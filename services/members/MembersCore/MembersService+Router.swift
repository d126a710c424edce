public import Logging
import MembersV1
public import RPC
public import ServiceKit

extension MembersService {
  /// The name of the service in `grpc.health.v1`.
  public static let healthName = "yijia.members.v1.MembersService"

  /// The services that may check health over the inner link, to exclude a failing replica.
  private static let neighbors = ["gateway", "stations"]

  /// Returns the router of the inner link: this service and health, with authentication, policy,
  /// logging and error mapping.
  ///
  /// - Throws: ``ConfigurationError`` if a method has no policy.
  public func router(
    health: HealthRegistry, verifier: CallerTokenVerifier, logger: Logger
  ) throws -> Router {
    try Router(
      serving: [self], contracts: [MembersV1Descriptors.fileDescriptorSet], upkeep: self,
      database: database, domain: "members.yijia", health: health, neighbors: Self.neighbors,
      verifier: verifier, logger: logger)
  }
}
