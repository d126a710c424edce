/// Where and how a server listens.
public struct ServerConfiguration: Sendable, Hashable {
  /// The address to listen on; port 0 takes a free one, `unix:PATH` is a Unix socket.
  public var address: HostPort
  /// Nil for plaintext HTTP/2 with prior knowledge.
  public var tls: ServerTLS?
  /// Whether HTTP/1.1 is spoken on the same port: by ALPN with TLS, by the first bytes without. It
  /// carries whatever handlers of exchanges answer, no gRPC.
  public var allowsHTTP1 = false
  public var limits = ConnectionLimits()
  /// Keepalive, age and idleness of connections.
  public var lifetime = ConnectionLifetime()
  /// Connections at once. A further one takes the place of one without calls; when all have
  /// calls it is closed. Fewer when the process may not open so many files.
  public var connectionsMax = 10_000
  /// Bytes taken from a connection at once, at most. It is less for one whose requests keep its
  /// loop busy for long, so that others have their turn.
  public var readBytesMax = 16 << 10
  /// Waiting connections the kernel keeps for us.
  public var backlog: Int32 = 1024

  public init(address: HostPort, tls: ServerTLS? = nil) {
    self.address = address
    self.tls = tls
  }

  /// For a process's admin port, which is on loopback: plaintext, and HTTP/1.1 for who reads pages.
  public init(admin address: HostPort) {
    self.init(address: address)
    allowsHTTP1 = true
  }
}
