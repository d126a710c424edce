import Crypto
import GatewayV1
import Logging
import RPC
import RPCInProcess
import ServiceKit

/// The gateway's own services, called in-process through the gateway itself, as other services are,
/// so that authentication, policy, limits and the access log apply.
struct OwnServices: Sendable {
  /// The backend of the own services.
  let backend: Backend

  /// - Parameters:
  ///   - configuration: The current configuration.
  ///   - codes: Delivery of members' one-time codes.
  ///   - keyID: Id of the gateway's caller token key.
  ///   - seed: The private key itself.
  /// - Throws: ``ConfigurationError`` where a method has no policy.
  init(
    store: GatewayStore, configuration: GatewayConfiguration, codes: MemberCodes, keyID: String,
    seed: [UInt8], clock: Clock = .system,
    logger: Logger
  ) throws {
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
    let verifier = try CallerTokenVerifier(
      audience: Contract.own.audience,
      publicKeys: [keyID: Array(key.publicKey.rawRepresentation)], clock: clock)
    let policies = try PolicyTable(descriptorSets: [Contract.own.descriptorSet])
    let router = try Router(
      services: [
        AccountsService(store: store, configuration: configuration),
        SessionsService(store: store, codes: codes),
      ],
      interceptors: [
        FailureMapping(domain: GatewayFailure.domain, logger: logger),
        CallerIdentity(verifier: verifier), PolicyEnforcement(table: policies),
      ])
    try policies.check(router.methods)
    backend = Backend(
      name: Contract.own.audience,
      channel: InProcessChannel(
        Dispatcher(router: router, countsCalls: false, logger: logger),
        peer: Peer(
          address: "in-process", certificateURIs: ["spiffe://yijia/gateway"], isTLS: true)),
      audience: Contract.own.audience)
  }
}
