public import Logging
public import RPC
public import ServiceKit

extension GatewayStore {
  /// Workloads that may call health and reflection on the operators' address.
  private static let neighbors = ["operator"]

  /// Creates the router of the operators' address, which is served over mutual TLS: the upkeep
  /// tasks that every service has on its inner link. External callers cannot reach it.
  ///
  /// - Throws: ``ConfigurationError`` where a method has no policy.
  public func router(health: HealthRegistry, logger: Logger) throws -> Router {
    // Only workloads call here, nobody on behalf of a user: no caller token is accepted.
    let verifier = try CallerTokenVerifier(audience: Contract.own.audience, publicKeys: [:])
    return try Router(
      serving: [], contracts: [], upkeep: self, database: database,
      domain: GatewayFailure.domain, health: health, neighbors: Self.neighbors,
      verifier: verifier, logger: logger)
  }
}
