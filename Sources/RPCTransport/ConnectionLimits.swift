internal import HTTP2

/// What a connection allows its peer. The defaults suit a public edge.
public struct ConnectionLimits: Sendable, Hashable {
  /// Streams a client may have open at once.
  public var concurrentStreamsMax: UInt32 = 256
  /// Handlers of one connection that may run at once, counted until they return: a client that
  /// opens and resets streams cannot pile up work (CVE-2023-44487).
  public var runningHandlersMax = 512
  /// Bytes a peer may send on a stream before any were taken.
  public var streamWindowBytes: Int32 = 256 << 10
  /// Bytes a peer may send on all streams before credit was returned.
  public var connectionWindowBytes: Int32 = 4 << 20
  /// Received bytes of all streams that no one has taken; above it the connection gets no credit.
  public var unreadBytesMax = 8 << 20
  /// Names + values + 32 a field of a header list.
  public var headerListBytesMax = 16 << 10
  /// Fields of a header list.
  public var headerFieldsMax = 128
  /// RST_STREAM frames of a client: this many at once,
  public var resetsBurst: UInt64 = 1000
  /// and this many a second. A busy trusted link needs more: gRPC cancels by RST_STREAM.
  public var resetsPerSecond: UInt64 = 33
  /// How long a peer may take none of what we have to send.
  public var stallMax: Duration = .seconds(60)
  /// How long TLS and HTTP/2's preface may take.
  public var handshakeMax: Duration = .seconds(10)

  public init() {}

  /// For links between the suite's own services, where a gateway cancels for many clients.
  public static var trusted: ConnectionLimits {
    var limits = ConnectionLimits()
    limits.concurrentStreamsMax = 4096
    limits.runningHandlersMax = 8192
    limits.streamWindowBytes = 1 << 20
    limits.connectionWindowBytes = 16 << 20
    limits.unreadBytesMax = 64 << 20
    limits.resetsBurst = 100_000
    limits.resetsPerSecond = 10_000
    return limits
  }

  var session: SessionLimits {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = concurrentStreamsMax
    limits.streamWindowBytes = streamWindowBytes
    limits.connectionWindowBytes = connectionWindowBytes
    limits.unreadBytesMax = unreadBytesMax
    limits.headerListBytesMax = headerListBytesMax
    limits.headerFieldsMax = headerFieldsMax
    limits.resetsReceived = .init(burst: resetsBurst, perSecond: resetsPerSecond)
    limits.resetsProvoked = .init(
      burst: max(200, resetsBurst / 5), perSecond: max(20, resetsPerSecond))
    return limits
  }
}
