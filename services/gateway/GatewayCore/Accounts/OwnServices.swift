import Crypto
import GatewayV1
import Logging
import RPC
import RPCInProcess
import ServiceKit

/// The services that the gateway serves itself, behind its own front: their calls come as every
/// other service's do, in the process, so that keys, policy, limits and the access log are one.
struct OwnServices: Sendable {
  /// Where calls of these services go.
  let backend: Backend

  /// - Parameters:
  ///   - configuration: The one that is served.
  ///   - codes: How members get one-time codes.
  ///   - keyID: Names the key of the gateway's caller tokens.
  ///   - seed: Of that key.
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
