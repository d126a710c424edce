/// Intercepts the calls of a server, for logging, identity, policy or error mapping.
public protocol ServerInterceptor: Sendable {
  /// Intercepts one call: calls `next` once to continue, or throws to fail the call. An error
  /// thrown here or by `next` becomes the call's status. Runs on the connection's loop; the
  /// interceptors of a server form a fixed list, outermost first.
  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws
}
