internal import CNghttp2

// What the owner sends. Each function only queues; `drain` moves the output out.
extension Session {
  /// The largest encoded header list that the library sends, less what is not fields.
  /// Source: nghttp2's `max_send_header_block_length`, `nghttp2_hd_deflate_bound`.
  private static let headerBlockBytesMax = 65_536 - 17

  /// Opens a stream with a request head (clients only).
  /// - Throws: `noStreamAvailable` if the session is shutting down or out of identifiers,
  ///   `headersTooLong`.
  public func submitRequest(_ head: HeaderSource) throws(SessionError) -> StreamKey {
    guard unsafe handle != nil else { throw .closed }
    guard head.bytesMax <= Self.headerBlockBytesMax else { throw .headersTooLong }
    let slot = takeSlot()
    var provider = unsafe nghttp2_data_provider(
      source: nghttp2_data_source(fd: slot), read_callback: SessionCallbacks.readBody)
    let id = unsafe head.withValues { list in
      unsafe nghttp2_submit_request(
        handle, nil, list.baseAddress, list.count, &provider, Self.userData(slot))
    }
    guard id > 0 else {
      freeSlot(slot)
      throw Self.error(id)
    }
    records[Int(slot)].open(id: id)
    return StreamKey(id: id, slot: slot)
  }

  /// Queues a response head (servers only). With `endsStream` it is the whole response.
  public func submitResponse(
    _ stream: StreamKey, _ head: HeaderSource, endsStream: Bool
  ) {
    guard isOpen(stream) else { return }
    if endsStream {
      records[Int(stream.slot)].end(trailers: nil)
      let code = unsafe head.withValues { list in
        unsafe nghttp2_submit_response(handle, stream.id, list.baseAddress, list.count, nil)
      }
      if code != 0 { reset(stream, .internalError) }
      return
    }
    var provider = unsafe nghttp2_data_provider(
      source: nghttp2_data_source(fd: stream.slot), read_callback: SessionCallbacks.readBody)
    let code = unsafe head.withValues { list in
      unsafe nghttp2_submit_response(handle, stream.id, list.baseAddress, list.count, &provider)
    }
    if code != 0 { reset(stream, .internalError) }
  }

  /// Queues body bytes behind the head.
  /// - Returns: True if the stream's queue is full: then wait for its `writable` event.
  public func submitData(_ stream: StreamKey, _ bytes: [UInt8]) -> Bool {
    guard isOpen(stream) else { return false }
    let before = records[Int(stream.slot)].pendingBytes
    let isFull = records[Int(stream.slot)].enqueue(bytes, mark: Self.outboundMarkBytes)
    unsentBytes += records[Int(stream.slot)].pendingBytes - before
    resume(stream)
    return isFull
  }

  /// Ends the local side behind the queued bytes, with trailers or without.
  public func submitEnd(_ stream: StreamKey, trailers: HeaderSource?) {
    guard isOpen(stream) else { return }
    records[Int(stream.slot)].end(trailers: trailers)
    resume(stream)
  }

  private func resume(_ stream: StreamKey) {
    guard records[Int(stream.slot)].isDeferred else { return }
    records[Int(stream.slot)].isDeferred = false
    unsafe nghttp2_session_resume_data(handle, stream.id)
  }

  /// Resets a stream; its `closed` event follows when the frame is out.
  public func reset(_ stream: StreamKey, _ code: ErrorCode) {
    guard isOpen(stream) else { return }
    records[Int(stream.slot)].isReset = true
    unsafe nghttp2_submit_rst_stream(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
    if unsafe nghttp2_session_get_stream_user_data(handle, stream.id) == nil {
      // A request that was not sent yet: the library only marks it, and calls no close callback.
      append(.closed(stream, code))
      freeSlot(stream.slot)
      cancelledRequests += 1
    }
  }

  /// Keeps the stream open when its response ends before its request, instead of resetting it.
  public func keepOpen(_ stream: StreamKey) {
    guard isOpen(stream) else { return }
    records[Int(stream.slot)].isKeptOpen = true
  }

  /// Resets the streams that have sent none of their queued bytes since the previous call: their
  /// peer grants no window.
  public func resetStalledStreams() {
    for slot in records.indices where records[slot].isStalled() {
      reset(StreamKey(id: records[slot].id, slot: Int32(slot)), .enhanceYourCalm)
    }
  }

  /// Begins a graceful shutdown: tells the peer to open no new streams (GOAWAY 2^31-1).
  public func submitShutdownNotice() {
    guard unsafe handle != nil else { return }
    unsafe nghttp2_submit_shutdown_notice(handle)
  }

  /// Completes the shutdown: sends GOAWAY with the last accepted stream, by default the last one
  /// received. Later streams are ignored.
  /// - Parameter reason: The debug data, in ASCII.
  public func submitGoAway(
    _ code: ErrorCode = .noError, last: Int32? = nil, reason: String = ""
  ) {
    guard unsafe handle != nil else { return }
    let last = unsafe last ?? nghttp2_session_get_last_proc_stream_id(handle)
    lastTaken = min(lastTaken, last)
    // Copied by the call.
    let text = Array(reason.utf8)
    unsafe nghttp2_submit_goaway(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, text, text.count)
  }

  /// Sends a PING; its acknowledgment arrives as `pong` with the same number.
  public func submitPing(_ number: UInt64) {
    guard unsafe handle != nil else { return }
    pongsDue += 1
    var number = number
    unsafe withUnsafeBytes(of: &number) { bytes in
      // Eight bytes, copied by the call.
      _ = unsafe nghttp2_submit_ping(
        handle, UInt8(NGHTTP2_FLAG_NONE.rawValue),
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// The number of streams that the peer allows to be open at once.
  public var peerConcurrentStreamsMax: UInt32 {
    guard unsafe handle != nil else { return 0 }
    return unsafe nghttp2_session_get_remote_settings(
      handle, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
  }

  /// Returns a slot as the library's stream user data: one more, so that none is nil.
  static func userData(_ slot: Int32) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: Int(slot) + 1)
  }
}
