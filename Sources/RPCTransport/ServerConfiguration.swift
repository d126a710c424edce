/// The configuration of a server.
public struct ServerConfiguration: Sendable, Hashable {
  /// The address to listen on; port 0 takes a free one, `unix:PATH` is a Unix socket.
  public var address: HostPort
  /// The TLS settings; nil for plaintext HTTP/2 with prior knowledge.
  public var tls: ServerTLS?
  /// Whether HTTP/1.1 is accepted on the same port: with TLS unless ALPN chooses HTTP/2, without by
  /// the first bytes. It carries what exchange handlers answer, and no gRPC.
  public var allowsHTTP1 = false
  /// The limits of each connection.
  public var limits = ConnectionLimits()
  /// Keepalive, age and idle time of connections.
  public var lifetime = ConnectionLifetime()
  /// The most connections at once. For a further one, one without calls is closed; if all have
  /// calls, the further one is closed, and those whose calls all wait for their requests in
  /// silence. The limit is lower if the process may not open so many files.
  public var connectionsMax = 10_000
  /// Buffered bytes of requests over all connections, beside the limit of each
  /// (``ConnectionLimits/heldBytesMax``). Beyond it calls that receive more of one fail with
  /// RESOURCE_EXHAUSTED, except on connections that hold less than 64 KiB. Beyond half of it, calls
  /// do on connections that hold more than ``ConnectionLimits/littleHeldBytesMax``: a few
  /// connections cannot take what all share.
  public var heldBytesMax = 1 << 30
  /// The most bytes read from a connection at once. Fewer are read from one whose requests keep its
  /// loop busy for long, so that others have their turn.
  public var readBytesMax = 16 << 10
  /// The kernel's queue of connections that wait to be accepted.
  public var backlog: Int32 = 1024

  /// Creates the configuration of a server at an address, with defaults for everything else.
  public init(address: HostPort, tls: ServerTLS? = nil) {
    self.address = address
    self.tls = tls
  }

  /// Creates the configuration of a process's admin port on loopback: plaintext, with HTTP/1.1 for
  /// those who read its pages.
  public init(admin address: HostPort) {
    self.init(address: address)
    allowsHTTP1 = true
  }
}
