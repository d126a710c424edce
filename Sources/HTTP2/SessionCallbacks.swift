internal import CNghttp2

/// The callbacks of libnghttp2. Each unwraps its session, records what happened, and returns: none
/// sends, receives, or calls the owner.
enum SessionCallbacks {
  // Created once, only read afterwards, never freed: every session copies it.
  nonisolated(unsafe) static let shared: OpaquePointer? = {
    var callbacks: OpaquePointer?
    guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, onBeginHeaders)
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks, onHeader)
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, onData)
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, onFrame)
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, onFrameSent)
    unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, onFrameNotSent)
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, onClose)
    return unsafe callbacks
  }()

  private typealias Handle = OpaquePointer?
  private typealias Frame = UnsafePointer<nghttp2_frame>?

  /// Passes the session to `body`, without retaining it for each of the many callbacks.
  @inline(__always)
  private static func with<Code: BinaryInteger>(
    _ user: UnsafeMutableRawPointer?, _ body: (Session) -> Code
  ) -> Code {
    guard let user = unsafe user else { return Code(failure) }
    // It is alive and in use: it owns the library's handle that calls back.
    return unsafe Unmanaged<Session>.fromOpaque(user)._withUnsafeGuaranteedRef { body($0) }
  }

  /// Returns the key of a stream if it is open.
  private static func key(_ session: Session, _ id: Int32) -> StreamKey? {
    // The frames of a stream often follow each other.
    if session.lastKey.id == id, session.isOpen(session.lastKey) { return session.lastKey }
    guard let data = unsafe nghttp2_session_get_stream_user_data(session.handle, id) else {
      return nil
    }
    let key = StreamKey(id: id, slot: Int32(truncatingIfNeeded: Int(bitPattern: data) - 1))
    guard session.isOpen(key) else { return nil }
    session.lastKey = key
    return key
  }

  private static let failure = Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)

  private static let onBeginHeaders:
    @convention(c) (Handle, Frame, UnsafeMutableRawPointer?) -> Int32 = { handle, frame, user in
      unsafe with(user) { session in
        guard let frame = unsafe frame else { return failure }
        session.headers.beginList()
        guard unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
        let id = unsafe frame.pointee.hd.stream_id
        guard session.openStreams < Int(session.limits.concurrentStreamsMax) else {
          session.refuseStream(id)
          return 0
        }
        let slot = session.takeSlot()
        session.records[Int(slot)].open(id: id)
        let code = unsafe nghttp2_session_set_stream_user_data(handle, id, Session.userData(slot))
        if code != 0 { session.freeSlot(slot) }
        session.lastKey = StreamKey(id: id, slot: slot)
        return code
      }
    }

  private static let onHeader:
    @convention(c) (
      Handle, Frame, UnsafePointer<UInt8>?, Int, UnsafePointer<UInt8>?, Int, UInt8,
      UnsafeMutableRawPointer?
    ) -> Int32 = { _, _, name, nameCount, value, valueCount, _, user in
      unsafe with(user) { session in
        unsafe session.headers.append(
          name: UnsafeBufferPointer(start: name, count: nameCount),
          value: UnsafeBufferPointer(start: value, count: valueCount))
        let limits = session.limits
        guard session.headers.openListBytes > limits.headerListBytesMax * limits.headerListExcessMax
        else { return 0 }
        session.terminate(.enhanceYourCalm, "the header list is far too long")
        return failure
      }
    }

  private static let onData:
    @convention(c) (Handle, UInt8, Int32, UnsafePointer<UInt8>?, Int, UnsafeMutableRawPointer?)
      -> Int32 = { _, _, id, bytes, count, user in
        unsafe with(user) { session in
          guard let bytes = unsafe bytes else { return failure }
          guard let stream = key(session, id) else { return 0 }
          return unsafe session.received(bytes, count: count, on: stream) ? 0 : failure
        }
      }

  private static let onFrame: @convention(c) (Handle, Frame, UnsafeMutableRawPointer?) -> Int32 = {
    _, frame, user in
    unsafe with(user) { session in
      guard let frame = unsafe frame else { return failure }
      let header = unsafe frame.pointee.hd
      let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
      let isAnswer = header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
      switch Int(header.type) {
      case Int(NGHTTP2_DATA.rawValue):
        guard let stream = key(session, header.stream_id) else { break }
        if endsStream {
          session.records[Int(stream.slot)].remoteEnded = true
          session.append(.ended(stream))
        } else if unsafe header.length == frame.pointee.data.padlen {
          session.count(.emptyData)
        }
      case Int(NGHTTP2_HEADERS.rawValue):
        let block = session.headers.endList()
        guard let stream = key(session, header.stream_id) else { break }
        unsafe headersReceived(
          session, stream, block, category: frame.pointee.headers.cat, endsStream: endsStream)
      case Int(NGHTTP2_SETTINGS.rawValue):
        guard !isAnswer else {
          session.append(.settingsAcknowledged)
          break
        }
        session.count(.control)
        unsafe session.checkWindows(after: frame.pointee.settings)
        session.append(.settings)
      case Int(NGHTTP2_RST_STREAM.rawValue):
        if session.role == .server { session.count(.receivedReset) }
        session.inbound.lastReset = header.stream_id
      case Int(NGHTTP2_PING.rawValue):
        if isAnswer {
          session.countPong()
          let opaque = unsafe frame.pointee.ping.opaque_data
          session.append(.pong(unsafe unsafeBitCast(opaque, to: UInt64.self)))
        } else {
          session.countPing()
        }
      case Int(NGHTTP2_GOAWAY.rawValue):
        if session.role == .server { session.count(.control) }
        let goAway = unsafe frame.pointee.goaway
        // The library's memory, valid during the callback.
        let text = unsafe UnsafeRawBufferPointer(
          start: goAway.opaque_data, count: goAway.opaque_data_len)
        let isAboutPings = unsafe text.elementsEqual("too_many_pings".utf8)
        session.append(
          unsafe .goAway(
            lastStreamID: goAway.last_stream_id, ErrorCode(rawValue: goAway.error_code),
            isAboutPings: isAboutPings))
      default: break
      }
      return 0
    }
  }

  private static func headersReceived(
    _ session: Session, _ stream: StreamKey, _ block: HeaderBlock,
    category: nghttp2_headers_category, endsStream: Bool
  ) {
    if endsStream { session.records[Int(stream.slot)].remoteEnded = true }
    let status = session.role == .client ? session.headers.statusClass : nil
    if category == NGHTTP2_HCAT_REQUEST {
      session.append(.head(stream, block, endsStream: endsStream))
    } else if let status {
      // An informational response precedes another head; nothing here needs one.
      guard status != UInt8(ascii: "1") else { return }
      session.append(.head(stream, block, endsStream: endsStream))
    } else {
      session.append(.trailers(stream, block))
    }
  }

  private static let onFrameSent:
    @convention(c) (Handle, Frame, UnsafeMutableRawPointer?) -> Int32 =
      { _, frame, user in
        unsafe with(user) { session in
          guard let frame = unsafe frame else { return failure }
          let header = unsafe frame.pointee.hd
          switch Int(header.type) {
          case Int(NGHTTP2_HEADERS.rawValue), Int(NGHTTP2_DATA.rawValue):
            session.countSent(isData: Int(header.type) == Int(NGHTTP2_DATA.rawValue))
            // A server that has sent its whole response needs no more of the request: RFC 9113,
            // section 8.1.
            guard session.role == .server,
              header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0,
              let stream = key(session, header.stream_id),
              !session.records[Int(stream.slot)].remoteEnded,
              !session.records[Int(stream.slot)].isKeptOpen
            else { break }
            session.reset(stream, .noError)
          case Int(NGHTTP2_RST_STREAM.rawValue):
            let code = unsafe ErrorCode(rawValue: frame.pointee.rst_stream.error_code)
            if session.role == .server, code.blamesPeer { session.count(.provokedReset) }
          default: break
          }
          return 0
        }
      }

  /// Called for a frame that could not be sent. A request that was never sent has no stream in the
  /// library, so no close callback follows; a response that is too long leaves its stream open.
  private static let onFrameNotSent:
    @convention(c) (Handle, Frame, Int32, UnsafeMutableRawPointer?) -> Int32 = {
      _, frame, code, user in
      unsafe with(user) { session in
        guard let frame = unsafe frame else { return failure }
        let header = unsafe frame.pointee.hd
        guard Int(header.type) == Int(NGHTTP2_HEADERS.rawValue) else { return 0 }
        if session.role == .server {
          // Otherwise the peer would wait for the rest of the response forever.
          if let stream = key(session, header.stream_id),
            !session.records[Int(stream.slot)].isReset
          {
            session.reset(stream, .internalError)
          }
          return 0
        }
        guard let slot = session.records.firstIndex(where: { $0.id == header.stream_id }) else {
          session.cancelledRequests -= 1
          return 0
        }
        let isRefused = code == Int32(NGHTTP2_ERR_START_STREAM_NOT_ALLOWED.rawValue)
        let stream = StreamKey(id: header.stream_id, slot: Int32(slot))
        session.append(isRefused ? .unsent(stream) : .closed(stream, .cancel))
        session.freeSlot(stream.slot)
        return 0
      }
    }

  private static let onClose:
    @convention(c) (Handle, Int32, UInt32, UnsafeMutableRawPointer?) ->
      Int32 = { _, id, code, user in
        unsafe with(user) { session in
          guard let stream = key(session, id) else { return 0 }
          session.remember(stream)
          session.append(.closed(stream, ErrorCode(rawValue: code)))
          session.freeSlot(stream.slot)
          return 0
        }
      }

  /// The data provider. It submits the trailers with the last bytes, so that HEADERS, DATA and
  /// trailers leave together.
  static let readBody: nghttp2_data_source_read_callback = {
    handle, id, out, capacity, flags, source, user in
    unsafe with(user) { session in
      guard let out = unsafe out, let flags = unsafe flags,
        let source = unsafe source
      else { return Int(failure) }
      let slot = Int(unsafe source.pointee.fd)
      guard slot < session.records.count, session.records[slot].id == id else {
        return Int(failure)
      }
      session.lastKey = StreamKey(id: id, slot: Int32(slot))
      let filled = unsafe session.records[slot].fill(
        UnsafeMutableRawBufferPointer(start: out, count: capacity), mark: Session.outboundMarkBytes)
      session.unsentBytes -= filled.count
      if filled.becameWritable {
        session.append(.writable(session.lastKey))
      }
      if filled.isStarved {
        session.records[slot].isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      }
      guard filled.isEnd else { return filled.count }
      unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
      if let trailers = session.records[slot].takeTrailers() {
        unsafe flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        let code = unsafe trailers.withValues { list in
          unsafe nghttp2_submit_trailer(handle, id, list.baseAddress, list.count)
        }
        if code != 0 { return Int(failure) }
      }
      return filled.count
    }
  }
}
