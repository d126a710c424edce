internal import CNghttp2

// What an owner may say. Each call only queues; `drain` brings it out.
extension Session {
  /// What the library sends of one header list, and of that what fields are not.
  /// Source: nghttp2's `max_send_header_block_length`, `nghttp2_hd_deflate_bound`.
  private static let headerBlockBytesMax = 65_536 - 17

  /// Opens a stream with a request head (clients only).
  /// - Throws: `noStreamAvailable` when the session is going away or out of identifiers,
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

  /// Answers with a response head (servers only). With `endsStream` it is the whole answer.
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
  /// - Returns: true when the stream's queue is full: wait for its `writable` event.
  public func submitData(_ stream: StreamKey, _ bytes: [UInt8]) -> Bool {
    guard isOpen(stream) else { return false }
    let before = records[Int(stream.slot)].pendingBytes
    let isFull = records[Int(stream.slot)].enqueue(bytes, mark: Self.outboundMarkBytes)
    unsentBytes += records[Int(stream.slot)].pendingBytes - before
    resume(stream)
    return isFull
  }

  /// Ends our side behind what is queued, with trailers or without.
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

  /// Ends a stream at once; its `closed` event follows when the frame is out.
  public func reset(_ stream: StreamKey, _ code: ErrorCode) {
    guard isOpen(stream) else { return }
    records[Int(stream.slot)].isReset = true
    unsafe nghttp2_submit_rst_stream(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
    if unsafe nghttp2_session_get_stream_user_data(handle, stream.id) == nil {
      // A request that has not left yet: the library only marks it, no close is called for it.
      append(.closed(stream, code))
      freeSlot(stream.slot)
      cancelledRequests += 1
    }
  }

  /// Resets the streams whose bytes have waited since the call before: their peer gives no window.
  public func resetStalledStreams() {
    for slot in records.indices where records[slot].isStalled() {
      reset(StreamKey(id: records[slot].id, slot: Int32(slot)), .enhanceYourCalm)
    }
  }

  /// The first step of a graceful stop: tells the peer to open nothing new (GOAWAY 2^31-1).
  public func submitShutdownNotice() {
    guard unsafe handle != nil else { return }
    unsafe nghttp2_submit_shutdown_notice(handle)
  }

  /// The second step: names the last stream that was taken, by default the last that came; later
  /// ones are ignored.
  public func submitGoAway(_ code: ErrorCode = .noError, last: Int32? = nil) {
    guard unsafe handle != nil else { return }
    let last = unsafe last ?? nghttp2_session_get_last_proc_stream_id(handle)
    lastTaken = min(lastTaken, last)
    unsafe nghttp2_submit_goaway(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, nil, 0)
  }

  /// Asks the peer for a sign of life; `pong` brings the same number back.
  public func submitPing(_ number: UInt64) {
    guard unsafe handle != nil else { return }
    var number = number
    unsafe withUnsafeBytes(of: &number) { bytes in
      // Eight bytes, copied by the call.
      _ = unsafe nghttp2_submit_ping(
        handle, UInt8(NGHTTP2_FLAG_NONE.rawValue),
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// Streams the peer allows us to have open at once.
  public var peerConcurrentStreamsMax: UInt32 {
    guard unsafe handle != nil else { return 0 }
    return unsafe nghttp2_session_get_remote_settings(
      handle, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
  }

  /// A slot as the library's stream user data: one more, so that none is nil.
  static func userData(_ slot: Int32) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: Int(slot) + 1)
  }
}
