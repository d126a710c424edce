internal import CNghttp2

/// An HTTP/2 connection without I/O: bytes in, events out, bytes out.
///
/// The owner passes received bytes to `receive`, takes the `events`, responds with the `submit…`
/// functions, and moves the output out with `drain` once per batch. Nothing here blocks, reads a
/// clock or calls the owner back. Confined to one thread at a time; not `Sendable`.
@safe public final class Session {
  /// The side of a connection.
  public enum Role: Sendable { case server, client }

  /// The bytes in a stream's outbound queue above which its writer is asked to wait.
  static let outboundMarkBytes = 64 << 10

  /// The side that this session is.
  public let role: Role
  /// The limits that apply to the peer.
  public let limits: SessionLimits
  private let memory: SessionMemory

  /// The events since `removeEvents`.
  @safe @exclusivity(unchecked) public private(set) var events: [SessionEvent] = []

  // The library's session: created in init, deleted in close(), used by this object only.
  @exclusivity(unchecked) var handle: OpaquePointer?
  @safe @exclusivity(unchecked) var records: [StreamRecord] = []
  @safe @exclusivity(unchecked) private var freeSlots: [Int32] = []
  /// The stream of the last frame, which `isOpen` tells from one that has ended.
  @safe @exclusivity(unchecked) var lastKey = StreamKey(id: -1, slot: 0)
  /// The number of open streams.
  @safe @exclusivity(unchecked) public private(set) var openStreams = 0
  /// Requests that were cancelled before they were sent; the library keeps each until its turn
  /// comes.
  @safe @exclusivity(unchecked) public internal(set) var cancelledRequests = 0
  /// Bytes queued on all streams.
  @safe @exclusivity(unchecked) public internal(set) var unsentBytes = 0

  /// The received header lists, valid until the next `receive`.
  @safe @exclusivity(unchecked) var headers: HeaderArena

  // The bytes being received, valid only while `receive` runs: data events are offsets into them.
  @exclusivity(unchecked) private var fed: UnsafeRawPointer?
  @safe @exclusivity(unchecked) private var nowNanoseconds: UInt64 = 0
  @safe @exclusivity(unchecked) private var unreadBytes = 0
  @safe @exclusivity(unchecked) private var connectionDebt = 0
  @safe @exclusivity(unchecked) private var resetsProvoked: TokenBucket
  @safe @exclusivity(unchecked) private var emptyDataFrames: TokenBucket
  @safe @exclusivity(unchecked) private var controlFrames: TokenBucket
  @safe @exclusivity(unchecked) private var resetsReceived: TokenBucket
  @safe @exclusivity(unchecked) private var pings: PingStrikes
  /// The PING frames that the peer has not answered.
  @safe @exclusivity(unchecked) var pongsDue = 0
  @safe @exclusivity(unchecked) private var dataFramesSent = 0
  @safe @exclusivity(unchecked) private var windowUpdates = 0
  @safe @exclusivity(unchecked) private var idleFrames = 0
  @safe @exclusivity(unchecked) var frameGuard: FrameGuard
  @safe @exclusivity(unchecked) var closedStreams = ClosedStreams()
  @safe @exclusivity(unchecked) var inbound = InboundState()
  /// The last stream that a GOAWAY has announced as accepted; those above it are ignored. Source:
  /// RFC 9113, section 6.8.
  @safe @exclusivity(unchecked) var lastTaken = Int32.max
  /// Whether a GOAWAY that ends the connection is queued or sent.
  @safe @exclusivity(unchecked) var ending = Ending.no
  @safe @exclusivity(unchecked) var hasSentSettings = false

  enum Ending { case no, queued, said }

  /// Creates a session and queues its preface and SETTINGS.
  /// - Parameter memory: The allocator for the library; one for all sessions of a thread.
  public init(
    _ role: Role, limits: SessionLimits = SessionLimits(), memory: SessionMemory = SessionMemory()
  ) throws(SessionError) {
    self.role = role
    self.memory = memory
    self.limits = limits
    headers = HeaderArena(
      listBytesMax: limits.headerListBytesMax, fieldsMax: limits.headerFieldsMax)
    frameGuard = FrameGuard(blockBytesMax: limits.headerBlockBytesMax)
    resetsProvoked = TokenBucket(limits.resetsProvoked)
    emptyDataFrames = TokenBucket(limits.emptyDataFrames)
    controlFrames = TokenBucket(limits.controlFrames)
    resetsReceived = TokenBucket(limits.resetsReceived)
    pings = PingStrikes(limits.pings)
    var options: OpaquePointer?
    guard unsafe nghttp2_option_new(&options) == 0 else { throw .outOfMemory }
    // Owned here until the end of init; the session copies what it needs.
    defer { unsafe nghttp2_option_del(options) }
    unsafe nghttp2_option_set_no_auto_window_update(options, 1)
    unsafe nghttp2_option_set_no_closed_streams(options, 1)
    unsafe nghttp2_option_set_max_outbound_ack(options, limits.outboundAcknowledgementsMax)
    unsafe nghttp2_option_set_max_continuations(options, limits.continuationsMax)
    unsafe nghttp2_option_set_max_settings(options, limits.settingsMax)
    // Other servers send a status message as it is, although no field may end with a space. The
    // status counts for more than that rule.
    if role == .client {
      unsafe nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
    }
    // Counted by `resetsReceived` instead, to end the connection with the right code.
    unsafe nghttp2_option_set_stream_reset_rate_limit(options, 1 << 62, 1 << 32)
    var made: OpaquePointer?
    // The session does not outlive this object, so its user data need not retain it.
    let user = unsafe Unmanaged.passUnretained(self).toOpaque()
    let callbacks = unsafe SessionCallbacks.shared
    var from = unsafe memory.callbacks()
    let code =
      switch role {
      case .server: unsafe nghttp2_session_server_new3(&made, callbacks, user, options, &from)
      case .client: unsafe nghttp2_session_client_new3(&made, callbacks, user, options, &from)
      }
    guard code == 0 else { throw .outOfMemory }
    unsafe handle = made
    submitSettings()
  }

  deinit { unsafe assert(handle == nil, "the owner of a Session must close it") }

  /// Frees the library's session. Open streams cause no events. Idempotent.
  public func close() {
    guard unsafe handle != nil else { return }
    unsafe nghttp2_session_del(handle)
    unsafe handle = nil
    records = []
    events = []
    openStreams = 0
  }

  private func submitSettings() {
    var settings: [nghttp2_settings_entry] = []
    switch role {
    case .server:
      settings.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
          value: Self.unlimited))
      settings.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue), value: 1))
    case .client:
      settings.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    settings += [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
        value: UInt32(limits.streamWindowBytes)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
        value: UInt32(limits.headerListBytesMax)),
    ]
    unsafe nghttp2_submit_settings(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
    unsafe nghttp2_session_set_local_window_size(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, limits.connectionWindowBytes)
  }

  // MARK: - Inbound

  /// Receives bytes from the peer and appends their events. Data events point into `bytes`, so take
  /// them before releasing it.
  /// - Parameter nowNanoseconds: The time of any monotonic clock, for the rate limits.
  /// - Throws: An error if the connection cannot continue; what `drain` still returns may be sent
  ///   first.
  public func receive(_ bytes: RawSpan, nowNanoseconds: UInt64) throws(SessionError) {
    guard unsafe handle != nil else { throw .closed }
    headers.forget()
    self.nowNanoseconds = nowNanoseconds
    let code = unsafe bytes.withUnsafeBytes { buffer in
      unsafe fed = buffer.baseAddress
      // Valid during this call only; cleared before it ends.
      defer { unsafe fed = nil }
      return role == .server ? unsafe receiveGuarded(buffer) : unsafe feed(buffer)
    }
    if code < 0 {
      let error = Self.error(code)
      terminate(Self.code(of: error), "the connection cannot go on")
      throw error
    }
    returnConnectionCredit()
  }

  /// Passes bytes to the library; returns a negative code if the connection cannot continue.
  func feed(_ buffer: UnsafeRawBufferPointer) -> Int32 {
    guard buffer.count > 0, ending == .no else { return 0 }
    // The caller's memory, for the length of the call.
    let count = unsafe nghttp2_session_mem_recv(
      handle, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count)
    return count < 0 ? Int32(count) : 0
  }

  /// Removes the events taken so far.
  public func removeEvents() { events.removeAll(keepingCapacity: events.capacity <= 512) }

  /// Passes each field of a received header list to `body`, in order.
  public func forEachField(
    in block: HeaderBlock, _ body: (_ name: RawSpan, _ value: RawSpan) -> Void
  ) {
    headers.forEachField(in: block, body)
  }

  /// Passes the value of one field of a received header list to `body`.
  public func withValue<Result>(
    of place: Int, in block: HeaderBlock, _ body: (RawSpan) -> Result
  ) -> Result {
    headers.withValue(of: place, in: block, body)
  }

  /// Returns a copy of a received header list that outlives the next `receive`.
  /// - Parameter place: The index of a field whose value may differ, with the same length, in a
  ///   list that counts as the same.
  public func copy(of block: HeaderBlock, anyValueOf place: Int? = nil) -> HeaderCopy {
    headers.copy(of: block, anyValueOf: place)
  }

  /// Returns whether a received header list has the same fields as a copy, in the same order.
  public func block(_ block: HeaderBlock, isSameAs known: HeaderCopy) -> Bool {
    headers.list(block, isSameAs: known)
  }

  /// Returns flow-control credit to the peer, for bytes of a stream that the application has taken.
  public func consume(_ stream: StreamKey, _ count: Int) {
    guard count > 0, isOpen(stream) else { return }
    let slot = Int(stream.slot)
    records[slot].unreadBytes -= count
    unreadBytes -= count
    if !records[slot].remoteEnded {
      unsafe nghttp2_session_consume_stream(handle, stream.id, count)
    }
    returnConnectionCredit()
  }

  /// Returns the connection's credit to the peer. That happens on receipt, so that a slow stream
  /// does not block others, unless too many bytes are unread.
  private func returnConnectionCredit() {
    guard connectionDebt > 0, unreadBytes <= limits.unreadBytesMax, unsafe handle != nil else {
      return
    }
    unsafe nghttp2_session_consume_connection(handle, connectionDebt)
    connectionDebt = 0
  }

  // MARK: - Outbound

  /// Moves output out, one frame at a time, until there is none or `limit` bytes are reached.
  /// - Returns: Whether no output is left.
  public func drain(limit: Int, _ body: (RawSpan) -> Void) throws(SessionError) -> Bool {
    // Streams that were closed by this side have released their unread bytes.
    returnConnectionCredit()
    var total = 0
    while total < limit {
      guard unsafe handle != nil, ending != .said else { return true }
      var bytes: UnsafePointer<UInt8>?
      let count = unsafe nghttp2_session_mem_send(handle, &bytes)
      guard count >= 0 else { throw Self.error(Int32(count)) }
      guard count > 0 else { return true }
      // The library's buffer, valid until the next call of mem_send.
      let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
      total += count
      if unsafe isWorthSending(buffer) {
        if let frame = unsafe corrected(buffer) {
          body(unsafe frame.span.bytes)
        } else {
          body(unsafe RawSpan(_unsafeBytes: buffer))
        }
      }
    }
    return false
  }

  /// Whether the peer was told, or is about to be, which stream is the last that is served.
  public var hasSaidLast: Bool { ending != .no || lastTaken != Int32.max }

  /// Whether neither side has anything left to send: close the connection once the output is
  /// written.
  public var isFinished: Bool {
    guard unsafe handle != nil, ending != .said else { return true }
    return unsafe nghttp2_session_want_read(handle) == 0
      && nghttp2_session_want_write(handle) == 0
  }

  // MARK: - Streams

  /// Returns whether the stream with a key is open.
  public func isOpen(_ stream: StreamKey) -> Bool {
    Int(stream.slot) < records.count && records[Int(stream.slot)].id == stream.id
  }

  func takeSlot() -> Int32 {
    openStreams += 1
    if let slot = freeSlots.popLast() { return slot }
    records.append(StreamRecord())
    return Int32(records.count - 1)
  }

  func freeSlot(_ slot: Int32) {
    unreadBytes -= records[Int(slot)].unreadBytes
    unsentBytes -= records[Int(slot)].pendingBytes
    records[Int(slot)].free()
    freeSlots.append(slot)
    openStreams -= 1
  }

  static func error(_ code: Int32) -> SessionError {
    switch code {
    case Int32(NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue): .badPreface
    case Int32(NGHTTP2_ERR_FLOODED.rawValue),
      Int32(NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue):
      .flooded
    case Int32(NGHTTP2_ERR_NOMEM.rawValue): .outOfMemory
    case Int32(NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE.rawValue): .noStreamAvailable
    default: .library(code)
    }
  }
}

// MARK: - For the callbacks

extension Session {
  func append(_ event: SessionEvent) { events.append(event) }

  func received(_ bytes: UnsafePointer<UInt8>, count: Int, on stream: StreamKey) -> Bool {
    // The library passes data on in place, so it lies within the bytes being received.
    guard let fed = unsafe fed else { return false }
    records[Int(stream.slot)].unreadBytes += count
    unreadBytes += count
    connectionDebt += count
    let offset = unsafe UnsafeRawPointer(bytes) - fed
    events.append(.data(stream, offset: offset, count: count))
    return true
  }

  /// Counts a frame against a rate limit; ends the connection if there are too many.
  func count(_ kind: Counted) {
    let now = nowNanoseconds
    let isAllowed =
      switch kind {
      case .emptyData: emptyDataFrames.take(nowNanoseconds: now)
      case .provokedReset: resetsProvoked.take(nowNanoseconds: now)
      case .receivedReset: resetsReceived.take(nowNanoseconds: now)
      case .control: controlFrames.take(nowNanoseconds: now)
      }
    if !isAllowed { terminate(.enhanceYourCalm, "too many frames of one kind") }
  }

  enum Counted { case emptyData, provokedReset, receivedReset, control }

  /// Counts a PING of the peer, which costs an answer. The first one after HEADERS or DATA is free:
  /// grpc-go measures its bandwidth with a ping in each round trip that brings it data, which on a
  /// short way are thousands a second.
  func countPing() {
    let isFree = pings.isForgiven
    let isPatient = pings.take(nowNanoseconds: nowNanoseconds, hasStreams: openStreams > 0)
    guard isFree || controlFrames.take(nowNanoseconds: nowNanoseconds),
      isPatient || role == .client
    else { return terminate(.enhanceYourCalm, "too_many_pings") }
  }

  /// Counts an answer to a PING.
  func countPong() {
    if pongsDue > 0 { pongsDue -= 1 } else if role == .server { count(.control) }
  }

  /// Counts a frame of the peer that has no effect.
  func countIdleFrame() {
    idleFrames += 1
    let most = limits.idleFramesMax + limits.idleFramesPerStream * frameGuard.streamsOpened
    if idleFrames > most { terminate(.enhanceYourCalm, "too many idle frames") }
  }

  func countWindowUpdate() {
    windowUpdates += 1
    let frames = dataFramesSent + frameGuard.streamsOpened
    if windowUpdates > limits.windowUpdatesMax + limits.windowUpdatesPerFrame * frames {
      terminate(.enhanceYourCalm, "too many window updates")
    }
  }

  /// Counts HEADERS or DATA that were sent.
  func countSent(isData: Bool) {
    if isData { dataFramesSent += 1 }
    pings.forgive()
  }

  /// Queues a final GOAWAY, after which nothing is sent or received.
  public func terminate(_ code: ErrorCode, _ reason: StaticString = "") {
    guard unsafe handle != nil, ending == .no else { return }
    ending = .queued
    let last = unsafe nghttp2_session_get_last_proc_stream_id(handle)
    // Static strings are immortal; the library copies it.
    unsafe nghttp2_submit_goaway(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, reason.utf8Start,
      reason.utf8CodeUnitCount)
  }
}
