internal import HTTP2
internal import RPC

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
  /// Bytes of messages that are not whole, over all streams. Each gets credit until it is, so
  /// beyond this a call that gets more of one fails with RESOURCE_EXHAUSTED. By default 32 of the
  /// largest, or half a MiB for each stream.
  public var heldBytesMax = 128 << 20
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
  /// How long TLS, HTTP/2's preface and the acknowledgement of our settings may take together.
  public var handshakeMax: Duration = .seconds(10)
  /// How long a field block, or the head of a frame, may take to arrive once it has begun.
  public var headersMax: Duration = .seconds(10)
  /// Bytes of responses that the peer has not taken, over all streams; above it no handler begins
  /// until there is room again.
  public var unsentBytesMax = 32 << 20
  /// Time between two pings of a client while calls run and nothing is sent to it (gRFC A8).
  public var pingIntervalMin: Duration = .seconds(300)
  /// The same without calls.
  public var idlePingIntervalMin: Duration = .seconds(7200)
  /// Pings that may come sooner before the connection ends with `too_many_pings`.
  public var pingStrikesMax = 2

  public init() {}

  /// For links between the suite's own services, where a gateway cancels for many clients.
  public static var trusted: ConnectionLimits {
    var limits = ConnectionLimits()
    limits.concurrentStreamsMax = 4096
    limits.runningHandlersMax = 8192
    limits.streamWindowBytes = 1 << 20
    limits.connectionWindowBytes = 16 << 20
    limits.unreadBytesMax = 64 << 20
    limits.heldBytesMax = 512 << 20
    // What a public edge lets in, and what it adds of its own.
    limits.headerListBytesMax = 32 << 10
    limits.headerFieldsMax = 160
    limits.resetsBurst = 100_000
    limits.resetsPerSecond = 10_000
    limits.unsentBytesMax = 512 << 20
    limits.pingIntervalMin = .seconds(5)
    limits.idlePingIntervalMin = .seconds(5)
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
    limits.pings.intervalMinNanoseconds = pingIntervalMin.wholeNanoseconds
    limits.pings.idleIntervalMinNanoseconds = idlePingIntervalMin.wholeNanoseconds
    limits.pings.strikesMax = pingStrikesMax
    return limits
  }
}
