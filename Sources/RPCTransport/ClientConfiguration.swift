/// How a client connects.
public struct ClientConfiguration: Sendable, Hashable {
  /// The backends; calls go round all that are connected.
  public var targets: [HostPort]
  /// Nil for plaintext.
  public var tls: ClientTLS?
  /// What `:authority` says; by default the target.
  public var authority: String?
  /// Asks each backend's `grpc.health.v1.Health/Watch` for this service ("" is the whole server)
  /// and leaves out those that are not serving. Nil asks nothing.
  public var healthService: String?
  public var limits = ConnectionLimits.trusted
  /// How long TCP, TLS and the first settings may take.
  public var connectMax: Duration = .seconds(20)
  /// Calls that may wait for a connection at once.
  public var waitersMax = 10_000

  public init(targets: [HostPort], tls: ClientTLS? = nil) {
    self.targets = targets
    self.tls = tls
  }
}
