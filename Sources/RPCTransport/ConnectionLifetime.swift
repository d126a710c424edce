/// How long a server keeps its connections, and how it detects that a peer is gone.
/// Sources: gRFC A8 (keepalive), gRFC A9 (connection age); the defaults are gRPC's.
public struct ConnectionLifetime: Sendable, Hashable {
  /// The time without a byte from the peer after which it is pinged; nil never pings.
  public var keepaliveInterval: Duration? = .seconds(7200)
  /// The time that the peer may then be silent before the connection is closed.
  public var keepaliveTimeout: Duration = .seconds(20)
  /// The age, ± 10 %, at which a connection is drained, so that clients spread anew over servers
  /// and names; nil sets no limit.
  public var ageMax: Duration?
  /// The time that calls may continue after that; nil sets no limit.
  public var ageGrace: Duration?
  /// The time without a call, or at most twice as long, after which a connection is drained; nil
  /// sets no limit.
  public var idleMax: Duration?
  /// The time after which a stream is reset that has data to send but gets no window from its peer.
  /// A peer that reads nothing at all is subject to `ConnectionLimits.stallMax`.
  public var streamStallMax: Duration = .seconds(300)
  /// The time without progress after which an incomplete request ends with DEADLINE_EXCEEDED, if
  /// the method takes a single request; the call may end after half that time. A stream of requests
  /// may be silent.
  public var requestStallMax: Duration = .seconds(60)

  /// Creates the defaults: keepalive after two hours of silence, no limits of age and idle time.
  public init() {}
}
