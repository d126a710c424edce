/// The limits of a session for its peer, with defaults that suit a public edge.
public struct SessionLimits: Sendable, Hashable {
  /// A token bucket: `burst` tokens at once, `perSecond` regained.
  public struct Rate: Sendable, Hashable {
    /// The initial and largest number of tokens.
    public var burst: UInt64
    /// The tokens regained per second.
    public var perSecond: UInt64

    /// Creates a bucket that is full at first.
    public init(burst: UInt64, perSecond: UInt64) {
      self.burst = burst
      self.perSecond = perSecond
    }
  }

  /// Streams that the peer may have open at once. RFC 9113, section 6.5.2, advises at least 100.
  public var concurrentStreamsMax: UInt32 = 256
  /// The flow-control window of a stream in bytes: what a peer may send before any of it is taken.
  public var streamWindowBytes: Int32 = 256 << 10
  /// The flow-control window of the connection in bytes, over all streams.
  public var connectionWindowBytes: Int32 = 4 << 20
  /// Received bytes that were not taken yet, over all streams. Above it the connection gets no
  /// further credit, so that many slow streams cannot hold unbounded memory.
  public var unreadBytesMax = 8 << 20
  /// The size of a header list: names + values + 32 bytes a field. libnghttp2 only announces this
  /// limit; the session enforces it.
  public var headerListBytesMax = 16 << 10
  /// Fields of a header list.
  public var headerFieldsMax = 128
  /// The encoded bytes of a field block, over HEADERS and CONTINUATION; servers only. More end the
  /// connection with ENHANCE_YOUR_CALM, since the following blocks cannot be read without this one.
  /// A name or value of more than 64 KiB ends it likewise, when its length arrives.
  public var headerBlockBytesMax = 64 << 10
  /// CONTINUATION frames of a field block (CVE-2024-28182); more end the connection with
  /// ENHANCE_YOUR_CALM. libnghttp2's default is 8, too few for a peer that sends small frames.
  public var continuationsMax = 256
  /// Entries of a SETTINGS frame: as many as fit in a frame, so none is refused. Repeated ones
  /// replace each other and unknown ones are dropped; the frames are counted (`controlFrames`).
  /// libnghttp2's default is 32.
  public var settingsMax = 16_384 / 6
  /// Acknowledgments of SETTINGS and PING that wait to be sent; libnghttp2's default is 1000.
  public var outboundAcknowledgementsMax = 100
  /// RST_STREAM frames of the peer (CVE-2023-44487). gRPC cancels by RST_STREAM, so a busy trusted
  /// link needs more than an edge.
  public var resetsReceived = Rate(burst: 1000, perSecond: 33)
  /// RST_STREAM frames that the peer provokes by its errors (CVE-2025-8671).
  public var resetsProvoked = Rate(burst: 200, perSecond: 20)
  /// Empty DATA frames without END_STREAM (CVE-2019-9518).
  public var emptyDataFrames = Rate(burst: 100, perSecond: 20)
  /// PING and SETTINGS frames: cheap to send, each needs an answer (CVE-2019-9512, -9515). One PING
  /// between two frames of HEADERS or DATA that are sent to the peer does not count. A server also
  /// counts GOAWAY, and answers to a PING that it did not send.
  public var controlFrames = Rate(burst: 1000, perSecond: 100)
  /// Frames without effect (PRIORITY, unknown types, HEADERS of a stream that was reset) that a
  /// connection may receive, plus `idleFramesPerStream` for each stream it opened.
  public var idleFramesMax = 1000
  /// See `idleFramesMax`.
  public var idleFramesPerStream = 100
  /// WINDOW_UPDATE frames that a connection may receive, plus `windowUpdatesPerFrame` for each
  /// stream it opened and each DATA frame sent to it.
  public var windowUpdatesMax = 1000
  /// See `windowUpdatesMax`.
  public var windowUpdatesPerFrame = 20
  /// The factor by which a header list has to exceed its limit to end the connection instead of its
  /// stream. Such a list is no mistake, and costs the peer nothing to send but much to decompress
  /// (HPACK bombs).
  public var headerListExcessMax = 16
  /// The frequency of PING frames of a client.
  public var pings = Pings()

  /// How often a client may ping. The defaults are gRPC's own (gRFC A8).
  public struct Pings: Sendable, Hashable {
    /// Nanoseconds between two pings while streams are open and the server sends nothing: 5
    /// minutes.
    public var intervalMinNanoseconds: UInt64 = 300_000_000_000
    /// Nanoseconds between two pings without streams: 2 hours.
    public var idleIntervalMinNanoseconds: UInt64 = 7_200_000_000_000
    /// Pings that may come too early before the connection is ended.
    public var strikesMax = 2

    /// Creates the defaults.
    public init() {}
  }

  /// Creates the default limits, those of a public edge.
  public init() {}
}
