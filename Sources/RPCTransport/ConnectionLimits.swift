internal import HTTP2
internal import RPC

/// The limits of a connection for its peer, with defaults that suit a public edge.
public struct ConnectionLimits: Sendable, Hashable {
  /// Streams that a client may have open at once.
  public var concurrentStreamsMax: UInt32 = 256
  /// Handlers of one connection that may run at once. They count until they return, so that a
  /// client that opens and resets streams cannot pile up work (CVE-2023-44487).
  public var runningHandlersMax = 512
  /// The flow-control window of a stream in bytes: what a peer may send before any of it is taken.
  public var streamWindowBytes: Int32 = 256 << 10
  /// The flow-control window of the connection in bytes, over all streams.
  public var connectionWindowBytes: Int32 = 4 << 20
  /// Received bytes that were not taken, over all streams; above it the connection gets no credit.
  public var unreadBytesMax = 8 << 20
  /// Buffered bytes of requests, over all streams: of messages that are not whole, which get credit
  /// until they are, and of whole single requests until their calls have ended. (What arrives in
  /// one piece, of at most 16 KiB, is not counted.) Beyond this limit a call that receives more
  /// fails with RESOURCE_EXHAUSTED. The default is 32 of the largest messages, or half a MiB for
  /// each stream.
  public var heldBytesMax = 128 << 20
  /// The bytes that count as little of them: beyond it the same happens while the connections of
  /// the server hold more than half of ``ServerConfiguration/heldBytesMax`` together. The default
  /// is one of the largest messages.
  public var littleHeldBytesMax = 4 << 20
  /// The size of a header list: names + values + 32 bytes a field.
  public var headerListBytesMax = 16 << 10
  /// Fields of a header list.
  public var headerFieldsMax = 128
  /// RST_STREAM frames that a client may send at once.
  public var resetsBurst: UInt64 = 1000
  /// RST_STREAM frames that a client may send per second. A busy trusted link needs more, since
  /// gRPC cancels by RST_STREAM.
  public var resetsPerSecond: UInt64 = 33
  /// The time that a peer may read or acknowledge nothing while there is data for it.
  public var stallMax: Duration = .seconds(60)
  /// The time for TLS, the HTTP/2 preface and the acknowledgment of SETTINGS together.
  public var handshakeMax: Duration = .seconds(10)
  /// The time for a field block or frame header to arrive once it has begun.
  public var headersMax: Duration = .seconds(10)
  /// Bytes of responses that the peer has not read, over all streams; above it no handler starts
  /// until there is room again.
  public var unsentBytesMax = 32 << 20
  /// The shortest time between two pings of a client while calls run and nothing is sent to it
  /// (gRFC A8).
  public var pingIntervalMin: Duration = .seconds(300)
  /// The shortest time between two pings of a client without calls.
  public var idlePingIntervalMin: Duration = .seconds(7200)
  /// Pings that may come sooner before the connection is closed with `too_many_pings`.
  public var pingStrikesMax = 2

  /// Creates the default limits, those of a public edge.
  public init() {}

  /// The limits for links between the suite's own services, where a gateway cancels for many
  /// clients.
  public static var trusted: ConnectionLimits {
    var limits = ConnectionLimits()
    limits.concurrentStreamsMax = 4096
    limits.runningHandlersMax = 8192
    limits.streamWindowBytes = 1 << 20
    limits.connectionWindowBytes = 16 << 20
    limits.unreadBytesMax = 64 << 20
    limits.heldBytesMax = 512 << 20
    // A link carries the calls of many clients, and a service has few links.
    limits.littleHeldBytesMax = 512 << 20
    // What a public edge accepts, and what it adds itself.
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
    limits.headerBlockBytesMax = max(limits.headerBlockBytesMax, headerListBytesMax)
    limits.resetsReceived = .init(burst: resetsBurst, perSecond: resetsPerSecond)
    limits.resetsProvoked = .init(
      burst: max(200, resetsBurst / 5), perSecond: max(20, resetsPerSecond))
    limits.pings.intervalMinNanoseconds = pingIntervalMin.wholeNanoseconds
    limits.pings.idleIntervalMinNanoseconds = idlePingIntervalMin.wholeNanoseconds
    limits.pings.strikesMax = pingStrikesMax
    return limits
  }
}
