/// The rules of RFC 9113 for frames of a client that libnghttp2 does not check, or answers
/// otherwise than the RFC says. Checks frame headers just before the library gets the same bytes.
///
/// A pure value: it maps a frame header and the state of its stream to a verdict.
struct FrameGuard {
  /// A frame header: nine bytes and, for some frame types, the first four of the payload.
  struct Head {
    static let bytes = 9
    /// The size with the part of the payload that PRIORITY and WINDOW_UPDATE are judged by.
    static let bytesMax = 13
    /// The largest payload that a peer may send by default. Source: RFC 9113, section 6.5.2.
    static let lengthMax = 16_384

    var length: Int
    var kind: UInt8
    var flags: UInt8
    var stream: Int32
    /// The first four payload bytes without their top bit, for the types that are judged by them.
    var number: UInt32 = 0

    /// The bytes of the frame that are needed to judge it.
    var neededBytes: Int {
      switch kind {
      case Kind.priority, Kind.windowUpdate: Self.bytes + min(length, 4)
      default: Self.bytes
      }
    }

    var endsStream: Bool { flags & 1 != 0 }
    var endsHeaders: Bool { flags & 4 != 0 }
    var isAnswer: Bool { flags & 1 != 0 }
  }

  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  /// The state of a stream when a frame for it arrives.
  enum StreamState: Equatable {
    case idle
    case open
    /// Half-closed: the peer has ended its side, the server has not.
    case halfClosed
    /// Closed after the peer had ended its side.
    case ended
    case resetByPeer
    /// Reset by this side; frames in transit may still arrive.
    case resetByUs
    /// Never opened: its identifier was skipped.
    case neverUsed
    /// Closed for so long that its end is not remembered.
    case forgotten
    /// Above the last stream that the final GOAWAY announced: its frames are ignored.
    case notTaken
  }

  enum Verdict: Equatable {
    /// The library gets the frame.
    case pass
    /// The frame is dropped: it has no meaning here.
    case drop
    /// A stream error on an open stream: it is reset, and the frame is dropped.
    case reset(ErrorCode)
    /// A stream error on a stream that accepts no more frames: the library forgets the stream, then
    /// gets the frame, applies its effect on compression and flow control, and ignores it
    /// otherwise.
    case resetThenPass(ErrorCode)
    /// A connection error.
    case terminate(ErrorCode)
  }

  /// The highest stream the peer has opened.
  private(set) var highest: Int32 = 0
  /// The most recently opened stream, if nothing but its HEADERS was seen: it is certainly open.
  private var fresh: Int32 = 0
  /// The stream whose field block is incomplete, or 0.
  private(set) var openBlock: Int32 = 0
  /// The encoded bytes of the last field block, over all of its frames.
  private(set) var blockBytes = 0
  private let blockBytesMax: Int
  private var hasSettings = false
  private(set) var streamsOpened = 0

  init(blockBytesMax: Int = SessionLimits().headerBlockBytesMax) {
    self.blockBytesMax = blockBytesMax
  }

  /// Judges a frame by its header alone; nil if the state of its stream is needed.
  mutating func judge(_ head: Head) -> Verdict? {
    guard head.length <= Head.lengthMax else { return .terminate(.frameSizeError) }
    if openBlock != 0 {
      guard head.kind == Kind.continuation, head.stream == openBlock else {
        return .terminate(.protocolError)
      }
      blockBytes += head.length
      guard blockBytes <= blockBytesMax else { return .terminate(.enhanceYourCalm) }
      if head.endsHeaders { openBlock = 0 }
      return .pass
    }
    guard hasSettings else {
      hasSettings = head.kind == Kind.settings
      return hasSettings ? .pass : .terminate(.protocolError)
    }
    switch head.kind {
    case Kind.headers:
      blockBytes = head.length
      if head.stream > highest, head.stream & 1 == 1 {
        highest = head.stream
        fresh = head.endsStream ? 0 : head.stream
        streamsOpened += 1
        openBlock = head.endsHeaders ? 0 : head.stream
        return .pass
      }
      return head.stream & 1 == 1 ? nil : .terminate(.protocolError)
    case Kind.data:
      if head.stream == fresh, fresh != 0 {
        if head.endsStream { fresh = 0 }
        return .pass
      }
      return head.stream & 1 == 1 ? nil : .terminate(.protocolError)
    case Kind.priority: return head.stream == 0 ? .terminate(.protocolError) : nil
    case Kind.windowUpdate:
      return head.stream != 0 && head.length == 4 && head.number == 0 ? nil : .pass
    case Kind.continuation: return .terminate(.protocolError)
    case Kind.reset:
      if head.stream == fresh { fresh = 0 }
      return .pass
    default: return .pass
    }
  }

  /// Judges a frame by the state of its stream.
  mutating func judge(_ head: Head, on state: StreamState) -> Verdict {
    if head.stream == fresh { fresh = 0 }
    switch head.kind {
    case Kind.priority: return priority(head, on: state)
    case Kind.windowUpdate:
      switch state {
      case .open, .halfClosed: return .reset(.protocolError)
      case .idle: return .terminate(.protocolError)
      default: return .drop
      }
    default:
      let verdict = message(head, on: state)
      if head.kind == Kind.headers, !head.endsHeaders { openBlock = head.stream }
      return verdict
    }
  }

  /// Judges DATA, or HEADERS that open no stream. Sources: RFC 9113, sections 5.1, 5.1.1 and 6.1.
  private func message(_ head: Head, on state: StreamState) -> Verdict {
    switch state {
    case .open, .resetByUs, .notTaken: .pass
    case .halfClosed, .resetByPeer: .resetThenPass(.streamClosed)
    // Nobody knows any more whether this side has reset it, with DATA under way. A second head,
    // however, is never under way.
    case .forgotten:
      head.kind == Kind.data ? .resetThenPass(.streamClosed) : .terminate(.streamClosed)
    case .ended: .terminate(.streamClosed)
    case .idle: .terminate(.protocolError)
    case .neverUsed: .terminate(head.kind == Kind.data ? .streamClosed : .protocolError)
    }
  }

  /// Judges PRIORITY. The server declares that it does not use these frames, but a malformed one is
  /// still an error, and a connection error where RST_STREAM may not be sent.
  /// Sources: RFC 9113, section 6.3; RFC 7540, section 5.3.1.
  private func priority(_ head: Head, on state: StreamState) -> Verdict {
    let error: ErrorCode
    if head.length != 5 {
      error = .frameSizeError
    } else if head.number == UInt32(bitPattern: head.stream) {
      error = .protocolError
    } else {
      return .drop
    }
    switch state {
    case .open, .halfClosed: return .reset(error)
    case .idle, .neverUsed: return .terminate(error)
    default: return .drop
    }
  }
}
