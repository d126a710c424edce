/// What a session allows its peer. Every limit has a default that holds at a public edge.
public struct SessionLimits: Sendable, Hashable {
  /// A bucket of tokens: `burst` at once, `perSecond` regained.
  public struct Rate: Sendable, Hashable {
    /// Tokens at first and at most, and those regained each second.
    public var burst: UInt64
    public var perSecond: UInt64

    public init(burst: UInt64, perSecond: UInt64) {
      self.burst = burst
      self.perSecond = perSecond
    }
  }

  /// Streams the peer may have open at once. RFC 9113, section 6.5.2, advises no less than 100.
  public var concurrentStreamsMax: UInt32 = 256
  /// Bytes a peer may send on one stream before we have taken any.
  public var streamWindowBytes: Int32 = 256 << 10
  /// Bytes a peer may send on all streams together before we have returned credit.
  public var connectionWindowBytes: Int32 = 4 << 20
  /// Received bytes that no one has taken yet, over all streams; above it the connection gets no
  /// further credit, so that many slow streams cannot hold unbounded memory.
  public var unreadBytesMax = 8 << 20
  /// Names + values + 32 a field of one header list. libnghttp2 only announces this; we sum.
  public var headerListBytesMax = 16 << 10
  /// Fields of one header list.
  public var headerFieldsMax = 128
  /// SETTINGS and PING answers waiting to be sent (libnghttp2's default of 1000 is generous).
  public var outboundAcknowledgementsMax = 100
  /// RST_STREAM frames of the peer (CVE-2023-44487). gRPC cancels by RST_STREAM, so a busy
  /// trusted link needs more than an edge.
  public var resetsReceived = Rate(burst: 1000, perSecond: 33)
  /// RST_STREAM frames the peer makes us send by its errors (CVE-2025-8671).
  public var resetsProvoked = Rate(burst: 200, perSecond: 20)
  /// DATA frames that carry nothing and end nothing (CVE-2019-9518).
  public var emptyDataFrames = Rate(burst: 100, perSecond: 20)
  /// PING and SETTINGS frames: cheap to send, each needs an answer (CVE-2019-9512, -9515).
  public var controlFrames = Rate(burst: 1000, perSecond: 100)
  /// Frames without effect (PRIORITY, unknown types) that a connection may receive, plus
  /// `idleFramesPerStream` for each stream it opened.
  public var idleFramesMax = 1000
  /// See `idleFramesMax`.
  public var idleFramesPerStream = 100
  /// WINDOW_UPDATE frames that a connection may receive, plus `windowUpdatesPerFrame` for each
  /// stream it opened and each DATA frame we sent.
  public var windowUpdatesMax = 1000
  /// See `windowUpdatesMax`.
  public var windowUpdatesPerFrame = 20
  /// A header list this many times too long ends the connection instead of its stream: it is no
  /// mistake, and unpacking it costs the peer nothing (HPACK bombs).
  public var headerListExcessMax = 16
  /// PING frames a client may send.
  public var pings = Pings()

  /// How often a client may ping; gRPC's own defaults (gRFC A8).
  public struct Pings: Sendable, Hashable {
    /// Nanoseconds between two pings while streams are open and we send nothing: 5 minutes.
    public var intervalMinNanoseconds: UInt64 = 300_000_000_000
    /// The same without streams: 2 hours.
    public var idleIntervalMinNanoseconds: UInt64 = 7_200_000_000_000
    /// Pings that came too early before the connection ends.
    public var strikesMax = 2

    public init() {}
  }

  public init() {}
}
