/// Code around every handler of a server: logging, identity, policy, error mapping.
public protocol ServerInterceptor: Sendable {
  /// Calls `next` once to go on, or throws instead. An error thrown here or in `next` becomes the
  /// call's status. Runs on the connection's loop; interceptors form a fixed list, outermost first.
  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws
}
