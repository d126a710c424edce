internal import CNghttp2

// The checks that a server makes before the library does, and its changes to the library's output.

/// The position of a server in the peer's bytes.
struct InboundState {
  /// Bytes of the preface or of a payload that are still to come.
  var payloadLeft = Session.prefaceBytes
  /// Whether that payload is dropped instead of passed to the library.
  var isDropping = false
  /// The stream of that payload.
  var stream: Int32 = 0
  /// The frame type of that payload.
  var kind: UInt8 = 0
  /// The number of frames that have begun, without CONTINUATION.
  var frames = 0
  /// A frame header that has not arrived completely; the library has none of it.
  var held: [UInt8] = []
  /// Streams with frames that were not passed to the library yet, by a bit of their identifier.
  var pending: UInt64 = 0
  /// The stream that the peer reset last.
  var lastReset: Int32 = 0
  /// The largest send window of any stream before the SETTINGS being received.
  var windowMax: Int64 = 0
  /// The initial send window of a stream, as the peer has set it.
  var initialWindow: Int64 = 65_535
  /// The entries of the SETTINGS being received.
  var settings = SettingsCheck()

  static func bit(_ stream: Int32) -> UInt64 { 1 << (UInt64(truncatingIfNeeded: stream >> 1) & 63) }
}

extension Session {
  static let prefaceBytes = 24
  /// The stream limit that the library gets. It answers an excess stream with a connection error,
  /// so it is not told the real limit, which the session enforces. Source: RFC 9113, section 5.1.2.
  static let unlimited: UInt32 = 0x7fff_ffff
  private static let windowMax: Int64 = 0x7fff_ffff

  // MARK: - Inbound

  /// Whether a frame header, a field block, or a payload other than DATA is incomplete.
  public var isAwaitingHeaders: Bool {
    guard role == .server else { return false }
    return !inbound.held.isEmpty || frameGuard.openBlock != 0
      || (inbound.payloadLeft > 0 && inbound.kind != FrameGuard.Kind.data)
  }

  /// The number of streams that the peer has opened; servers only.
  public var streamsOpened: Int { frameGuard.streamsOpened }

  /// The ordinal of the incomplete frame; for a field block of several frames, that of the first.
  public var awaitedFrame: Int {
    inbound.frames + (inbound.held.isEmpty || frameGuard.openBlock != 0 ? 0 : 1)
  }

  /// Walks the received frames and passes the library those it may have, in as few pieces as
  /// possible.
  func receiveGuarded(_ buffer: UnsafeRawBufferPointer) -> Int32 {
    var start = 0
    var at = 0
    inbound.pending = inbound.payloadLeft > 0 ? InboundState.bit(inbound.stream) : 0
    /// Passes the library everything before `end`.
    func pass(_ end: Int) -> Int32 {
      defer {
        start = end
        inbound.pending = 0
      }
      return start < end ? unsafe feed(UnsafeRawBufferPointer(rebasing: buffer[start..<end])) : 0
    }
    while at < buffer.count, ending == .no {
      if inbound.payloadLeft > 0 {
        let step = min(inbound.payloadLeft, buffer.count - at)
        if inbound.kind == FrameGuard.Kind.settings,
          let error = unsafe settingsError(buffer, at..<at + step)
        {
          // What is wrong with the frame itself comes first.
          let code = pass(at)
          if code == 0 { terminate(error, "a setting has a forbidden value") }
          return code
        }
        inbound.payloadLeft -= step
        at += step
        if inbound.isDropping { start = at }
        continue
      }
      inbound.isDropping = false
      if !inbound.held.isEmpty || buffer.count - at < FrameGuard.Head.bytesMax {
        // Near the end of the input, or in a frame header that began in the previous input.
        let code = pass(at)
        guard code == 0 else { return code }
        guard let head = unsafe gather(buffer, &at) else { return 0 }
        start = at
        let failed = take(head, flush: { 0 })
        guard failed == 0 else { return failed }
        if !inbound.isDropping {
          let held = inbound.held
          let code = unsafe held.withUnsafeBytes { unsafe feed($0) }
          guard code == 0 else { return code }
        }
        inbound.payloadLeft = head.length - (inbound.held.count - FrameGuard.Head.bytes)
        inbound.held.removeAll(keepingCapacity: true)
        continue
      }
      let head = unsafe Self.head(buffer, at)
      let failed = take(head, flush: { pass(at) })
      guard failed == 0 else { return failed }
      if inbound.isDropping {
        let code = pass(at)
        guard code == 0 else { return code }
      }
      at += FrameGuard.Head.bytes
      inbound.payloadLeft = head.length
      if inbound.isDropping { start = at }
    }
    return ending == .no ? pass(at) : 0
  }

  /// Returns the error of the first wrong entry in bytes of a SETTINGS frame.
  private func settingsError(_ buffer: UnsafeRawBufferPointer, _ range: Range<Int>) -> ErrorCode? {
    for index in range {
      if let error = unsafe inbound.settings.take(buffer[index]) { return error }
    }
    return nil
  }

  /// Completes a frame header from the held and the received bytes; nil if more are needed.
  private func gather(_ buffer: UnsafeRawBufferPointer, _ at: inout Int) -> FrameGuard.Head? {
    func fill(_ count: Int) -> Bool {
      let step = min(count - inbound.held.count, buffer.count - at)
      if step > 0 {
        // The caller's memory, copied.
        unsafe inbound.held.append(contentsOf: buffer[at..<at + step])
        at += step
      }
      return inbound.held.count >= count
    }
    guard fill(FrameGuard.Head.bytes) else { return nil }
    let needed = unsafe inbound.held.withUnsafeBytes { unsafe Self.head($0, 0) }.neededBytes
    guard fill(needed) else { return nil }
    return unsafe inbound.held.withUnsafeBytes { unsafe Self.head($0, 0) }
  }

  private static func head(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> FrameGuard.Head {
    func word(_ offset: Int) -> UInt32 {
      unsafe bytes.loadUnaligned(fromByteOffset: at + offset, as: UInt32.self).bigEndian
    }
    let first = word(0)
    var head = FrameGuard.Head(
      length: Int(first >> 8), kind: UInt8(truncatingIfNeeded: first), flags: unsafe bytes[at + 4],
      stream: Int32(bitPattern: word(5) & 0x7fff_ffff))
    if head.neededBytes == FrameGuard.Head.bytesMax, bytes.count - at >= FrameGuard.Head.bytesMax {
      head.number = word(9) & 0x7fff_ffff
    }
    return head
  }

  /// Judges a frame and carries out the verdict before the frame goes on. `flush` passes the
  /// library everything before the frame.
  private func take(_ head: FrameGuard.Head, flush: () -> Int32) -> Int32 {
    count(head)
    if head.kind != FrameGuard.Kind.continuation { inbound.frames &+= 1 }
    inbound.stream = head.stream
    inbound.kind = head.kind
    var verdict = frameGuard.judge(head)
    if verdict == nil {
      if inbound.pending & InboundState.bit(head.stream) != 0 {
        let code = flush()
        guard code == 0 else { return code }
      }
      let state = state(of: head.stream)
      verdict = frameGuard.judge(head, on: state)
      if state == .resetByUs || state == .notTaken { countLate(head) }
    }
    switch verdict ?? .pass {
    case .pass:
      if head.kind == FrameGuard.Kind.settings, !head.isAnswer {
        let code = flush()
        guard code == 0 else { return code }
        measureWindows()
      }
      inbound.pending |= InboundState.bit(head.stream)
      return 0
    case .drop:
      inbound.isDropping = true
      return 0
    case .reset(let code):
      inbound.isDropping = true
      if let stream = openStream(head.stream) { reset(stream, code) }
      return 0
    case .resetThenPass(let code):
      let failed = flush()
      guard failed == 0 else { return failed }
      return forget(head.stream, code)
    case .terminate(let code):
      // An error in what came before, such as a wrong preface, is the one that counts.
      let failed = flush()
      if failed == 0 { terminate(code, "a frame that RFC 9113 forbids") }
      return failed
    }
  }

  private func count(_ head: FrameGuard.Head) {
    switch head.kind {
    case FrameGuard.Kind.windowUpdate: countWindowUpdate()
    case FrameGuard.Kind.priority: countIdleFrame()
    default: if head.kind > FrameGuard.Kind.continuation { countIdleFrame() }
    }
  }

  /// Counts a frame of a stream that is ignored. DATA may be under way, as the windows allow.
  private func countLate(_ head: FrameGuard.Head) {
    if head.kind == FrameGuard.Kind.headers {
      countIdleFrame()
    } else if head.kind == FrameGuard.Kind.data, head.length == 0, !head.endsStream {
      count(.emptyData)
    }
  }

  // MARK: - Streams

  private func openStream(_ id: Int32) -> StreamKey? {
    guard let data = unsafe nghttp2_session_get_stream_user_data(handle, id) else { return nil }
    let key = StreamKey(id: id, slot: Int32(truncatingIfNeeded: Int(bitPattern: data) - 1))
    return isOpen(key) ? key : nil
  }

  private func state(of id: Int32) -> FrameGuard.StreamState {
    guard id <= frameGuard.highest, id & 1 == 1 else { return .idle }
    guard let key = openStream(id) else {
      return id > lastTaken ? .notTaken : closedStreams.state(of: id)
    }
    let record = records[Int(key.slot)]
    if record.isReset { return .resetByUs }
    return record.remoteEnded ? .halfClosed : .open
  }

  /// Records the end of a stream, by which later frames for it are judged.
  func remember(_ stream: StreamKey) {
    guard role == .server else { return }
    let state: FrameGuard.StreamState =
      if inbound.lastReset == stream.id {
        .resetByPeer
      } else if records[Int(stream.slot)].remoteEnded {
        .ended
      } else {
        .resetByUs
      }
    closedStreams.append(stream.id, state)
  }

  /// Refuses a stream above the limit. Source: RFC 9113, section 5.1.2.
  func refuseStream(_ id: Int32) {
    unsafe nghttp2_submit_rst_stream(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, ErrorCode.refusedStream.rawValue)
    count(.provokedReset)
    headers.dropList()
    closedStreams.append(id, .resetByUs)
  }

  /// Resets a stream for which the library would end the connection, or that it does not know. The
  /// library is told that the peer has reset the stream, and ignores what follows.
  private func forget(_ id: Int32, _ code: ErrorCode) -> Int32 {
    if openStream(id) != nil {
      var frame: [UInt8] = [0, 0, 4, FrameGuard.Kind.reset, 0]
      for number in [UInt32(bitPattern: id), code.rawValue] {
        for shift in stride(from: 24, through: 0, by: -8) {
          frame.append(UInt8(truncatingIfNeeded: number >> UInt32(shift)))
        }
      }
      let failed = unsafe frame.withUnsafeBytes { unsafe feed($0) }
      guard failed == 0 else { return failed }
    }
    unsafe nghttp2_submit_rst_stream(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, code.rawValue)
    return 0
  }

  // MARK: - Windows

  private func measureWindows() {
    inbound.windowMax = 0
    for record in records where record.id != 0 {
      let window = unsafe nghttp2_session_get_stream_remote_window_size(handle, record.id)
      inbound.windowMax = max(inbound.windowMax, Int64(window))
    }
  }

  /// Ends the connection if a new initial window overflows the window of a stream, as the RFC says;
  /// the library only resets such streams. Source: RFC 9113, section 6.9.2.
  func checkWindows(after settings: nghttp2_settings) {
    guard role == .server else { return }
    let count = unsafe settings.niv
    for index in 0..<count {
      // The library's array, valid during the callback.
      let entry = unsafe settings.iv[index]
      guard entry.settings_id == Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue) else {
        continue
      }
      let change = Int64(entry.value) - inbound.initialWindow
      inbound.initialWindow = Int64(entry.value)
      inbound.windowMax += change
      if openStreams > 0, inbound.windowMax > Self.windowMax {
        terminate(.flowControlError, "the initial window overflows a stream's")
      }
    }
  }

  // MARK: - Outbound

  /// The bytes of an incomplete field block that cannot be decoded, from which on its length is to
  /// blame: the library refuses a name or value of more than 64 KiB (`NGHTTP2_HD_MAX_NV`) when it
  /// reads its length, which is in the first of several frames.
  private static let longBlockBytes = 8 << 10

  /// Returns an outbound frame with the numbers that the library does not know: the real stream
  /// limit, which is the first entry of its first SETTINGS, and the real error of a GOAWAY. For the
  /// library a name or value that is too long is a compression error.
  func corrected(_ frame: UnsafeRawBufferPointer) -> [UInt8]? {
    if !hasSentSettings, role == .server {
      hasSentSettings = true
      return unsafe Self.with(limits.concurrentStreamsMax, at: FrameGuard.Head.bytes + 2, in: frame)
    }
    guard unsafe frame[3] == UInt8(NGHTTP2_GOAWAY.rawValue), role == .server,
      frameGuard.openBlock != 0, frameGuard.blockBytes >= Self.longBlockBytes
    else { return nil }
    let place = FrameGuard.Head.bytes + 4
    let code = unsafe frame.loadUnaligned(fromByteOffset: place, as: UInt32.self).bigEndian
    guard code == ErrorCode.compressionError.rawValue else { return nil }
    return unsafe Self.with(ErrorCode.enhanceYourCalm.rawValue, at: place, in: frame)
  }

  private static func with(
    _ number: UInt32, at place: Int, in frame: UnsafeRawBufferPointer
  ) -> [UInt8] {
    var frame = unsafe Array(frame)
    for index in 0..<4 {
      frame[place + index] = UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * index))
    }
    return frame
  }

  /// Returns whether an outbound frame is to be sent. When the connection has to end, and after a
  /// compression error (for which the library resets the stream too), GOAWAY is the only answer and
  /// the last frame.
  func isWorthSending(_ frame: UnsafeRawBufferPointer) -> Bool {
    let kind = unsafe frame[3]
    if kind == UInt8(NGHTTP2_RST_STREAM.rawValue) {
      let code = unsafe frame.loadUnaligned(fromByteOffset: 9, as: UInt32.self).bigEndian
      return ending == .no && code != ErrorCode.compressionError.rawValue
    }
    if kind == UInt8(NGHTTP2_GOAWAY.rawValue) {
      // A graceful shutdown has no error code; any other GOAWAY is the last frame.
      let code = unsafe frame.loadUnaligned(fromByteOffset: 13, as: UInt32.self)
      if code != 0 { ending = .said }
    }
    return true
  }

  /// Returns the code that tells the peer of an error of the library.
  static func code(of error: SessionError) -> ErrorCode {
    switch error {
    case .badPreface: .protocolError
    case .flooded: .enhanceYourCalm
    default: .internalError
    }
  }
}
