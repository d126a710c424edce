public import Logging
public import RPC
public import ServiceKit

extension GatewayStore {
  /// Who may ask for health, and for the contract, where operators call.
  private static let neighbors = ["operator"]

  /// What a gateway serves to operators, over mutual TLS at an address of its own: their tasks, as
  /// every service has them on its inner link. Outside callers come nowhere near it.
  ///
  /// - Throws: ``ConfigurationError`` where a method has no policy.
  public func router(health: HealthRegistry, logger: Logger) throws -> Router {
    // Workloads call, nobody on behalf of another: no caller token holds here.
    let verifier = try CallerTokenVerifier(audience: Contract.own.audience, publicKeys: [:])
    return try Router(
      serving: [], contracts: [], upkeep: self, database: database,
      domain: GatewayFailure.domain, health: health, neighbors: Self.neighbors,
      verifier: verifier, logger: logger)
  }
}
