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
  /// Bytes taken from a connection before others of its loop have their turn. Its requests are
  /// answered together, so this is also what others wait for: some hundred small calls.
  public var readBytesMax = 16 << 10
  /// Waiting connections the kernel keeps for us.
  public var backlog: Int32 = 1024

  public init(address: HostPort, tls: ServerTLS? = nil) {
    self.address = address
    self.tls = tls
  }
}
