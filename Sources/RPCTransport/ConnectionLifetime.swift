/// How long a server keeps its connections, and how it finds out that a peer is gone.
/// Sources: gRFC A8 (keepalive), gRFC A9 (connection age); the defaults are gRPC's.
public struct ConnectionLifetime: Sendable, Hashable {
  /// After this long without a byte from the peer we ping it; nil never.
  public var keepaliveInterval: Duration? = .seconds(7200)
  /// How long the peer may then be silent before the connection is closed.
  public var keepaliveTimeout: Duration = .seconds(20)
  /// After this long, give or take a tenth, a connection is drained, so that clients spread anew
  /// over servers and names; nil never.
  public var ageMax: Duration?
  /// How long calls may go on after that; nil as long as they like.
  public var ageGrace: Duration?
  /// After this long without a call, at most twice as long, a connection is drained; nil never.
  public var idleMax: Duration?
  /// How long a stream may have something to send that its peer leaves no window for; then it is
  /// reset. A peer that takes nothing at all is held to `ConnectionLimits.stallMax`.
  public var streamStallMax: Duration = .seconds(300)
  /// How long nothing may come of a request that is not whole, where the method takes only one:
  /// the call ends with DEADLINE_EXCEEDED after half as long at least. A stream of requests may
  /// rest.
  public var requestStallMax: Duration = .seconds(60)

  public init() {}
}
