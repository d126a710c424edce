public import RPC
import YijiaTypeV1

/// Authenticates the caller. It is the first of a service's interceptors that may refuse a call;
/// ``PolicyEnforcement`` behind it authorizes.
///
/// An inner link is mutual TLS. The gateway passes the outside caller on as a signed token, which
/// counts only from the gateway's own certificate; any other workload is itself the caller. A bare
/// header proves nothing.
public struct CallerIdentity: ServerInterceptor {
  private static let workloadPrefix = "spiffe://yijia/"

  private let verifier: CallerTokenVerifier
  private let gateway: String

  /// - Parameters:
  ///   - verifier: Checks the gateway's tokens.
  ///   - gateway: The gateway's workload identity.
  public init(verifier: CallerTokenVerifier, gateway: String = "spiffe://yijia/gateway") {
    self.verifier = verifier
    self.gateway = gateway
  }

  public func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    context.setCaller(try caller(of: context))
    try await next()
  }

  private func caller(of context: ServerContext) throws -> Caller {
    let uris = context.peer.certificateURIs
    if uris.contains(gateway), let token = context.metadata[binary: callerTokenMetadata] {
      return try verifier.caller(of: token)
    }
    guard let uri = uris.first(where: { $0.hasPrefix(Self.workloadPrefix) }) else {
      throw CommonFailure.callerUnproven
    }
    return Caller(
      kind: .service, subject: "services/" + uri.dropFirst(Self.workloadPrefix.count))
  }
}
