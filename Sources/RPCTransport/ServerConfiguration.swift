/// Where and how a server listens.
public struct ServerConfiguration: Sendable, Hashable {
  /// The address to listen on; port 0 takes a free one.
  public var address: HostPort
  /// Nil for plaintext HTTP/2 with prior knowledge.
  public var tls: ServerTLS?
  public var limits = ConnectionLimits()
  /// Keepalive, age and idleness of connections.
  public var lifetime = ConnectionLifetime()
  /// Connections at once. A further one takes the place of one without calls; when all have
  /// calls it is closed.
  public var connectionsMax = 10_000
  /// Waiting connections the kernel keeps for us.
  public var backlog: Int32 = 1024

  public init(address: HostPort, tls: ServerTLS? = nil) {
    self.address = address
    self.tls = tls
  }
}
