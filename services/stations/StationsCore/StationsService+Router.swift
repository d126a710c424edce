public import Logging
public import RPC
public import ServiceKit
import StationsV1

extension StationsService {
  /// Name of the service in `grpc.health.v1`.
  public static let healthName = "yijia.stations.v1.StationsService"

  /// The services that may check health over the inner link, to eject a failing replica.
  private static let neighbors = ["gateway", "members"]

  /// Creates the router of the inner link: this service and health, with authentication, policy,
  /// logging and failure mapping for each call.
  ///
  /// - Throws: ``ConfigurationError`` where a method has no policy.
  public func router(
    health: HealthRegistry, verifier: CallerTokenVerifier, logger: Logger
  ) throws -> Router {
    try Router(
      serving: [self], contracts: [StationsV1Descriptors.fileDescriptorSet], upkeep: self,
      database: database, domain: "stations.yijia", health: health, neighbors: Self.neighbors,
      verifier: verifier, logger: logger)
  }
}
