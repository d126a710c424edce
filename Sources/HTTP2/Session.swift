internal import CNghttp2

/// One HTTP/2 connection without its socket: bytes in, events out, bytes out.
///
/// The owner feeds what it read with `receive`, takes `events`, answers with the `submit…`
/// functions, and once a batch moves the output out with `drain`. Nothing here blocks, knows a
/// clock or calls the owner back. Confined to one thread at a time; not `Sendable`.
@safe public final class Session {
  public enum Role: Sendable { case server, client }

  /// Bytes of outbound queue a stream may hold before its writer is asked to wait.
  static let outboundMarkBytes = 64 << 10

  /// Which side this is, and what it allows its peer.
  public let role: Role
  public let limits: SessionLimits
  private let memory: SessionMemory

  /// What happened since `removeEvents`.
  @safe @exclusivity(unchecked) public private(set) var events: [SessionEvent] = []

  // The library's session: made in init, deleted in close(), used by this object only.
  var handle: OpaquePointer?
  @safe @exclusivity(unchecked) var records: [StreamRecord] = []
  @safe @exclusivity(unchecked) private var freeSlots: [Int32] = []
  /// Streams that are open at the moment.
  @safe @exclusivity(unchecked) public private(set) var openStreams = 0
  /// Requests that were given up before they had left: the library keeps each until its turn comes.
  @safe @exclusivity(unchecked) public internal(set) var cancelledRequests = 0
  /// Bytes queued on all streams.
  @safe @exclusivity(unchecked) public internal(set) var unsentBytes = 0

  /// Received header lists, until the next receive.
  @safe @exclusivity(unchecked) var headers: HeaderArena

  // The bytes being fed, valid only while receive runs: events say where in them data lies.
  private var fed: UnsafeRawPointer?
  @safe @exclusivity(unchecked) private var nowNanoseconds: UInt64 = 0
  @safe @exclusivity(unchecked) private var unreadBytes = 0
  @safe @exclusivity(unchecked) private var connectionDebt = 0
  private var resetsProvoked: TokenBucket
  private var emptyDataFrames: TokenBucket
  private var controlFrames: TokenBucket
  private var resetsReceived: TokenBucket
  @safe @exclusivity(unchecked) private var pings: PingStrikes
  @safe @exclusivity(unchecked) private var dataFramesSent = 0
  @safe @exclusivity(unchecked) private var windowUpdates = 0
  @safe @exclusivity(unchecked) private var idleFrames = 0
  @safe @exclusivity(unchecked) var frameGuard = FrameGuard()
  @safe @exclusivity(unchecked) var closedStreams = ClosedStreams()
  @safe @exclusivity(unchecked) var inbound = InboundState()
  /// The last stream that we said we take: what comes above it is ignored. Source: RFC 9113,
  /// section 6.8.
  @safe @exclusivity(unchecked) var lastTaken = Int32.max
  /// A GOAWAY that ends everything is queued, or out.
  @safe @exclusivity(unchecked) var ending = Ending.no
  @safe @exclusivity(unchecked) private var hasSentSettings = false

  enum Ending { case no, queued, said }

  /// Makes a session and queues its preface and SETTINGS.
  /// - Parameter memory: what the library's memory is taken from; one for all sessions of a thread.
  public init(
    _ role: Role, limits: SessionLimits = SessionLimits(), memory: SessionMemory = SessionMemory()
  ) throws(SessionError) {
    self.role = role
    self.memory = memory
    self.limits = limits
    headers = HeaderArena(
      listBytesMax: limits.headerListBytesMax, fieldsMax: limits.headerFieldsMax)
    resetsProvoked = TokenBucket(limits.resetsProvoked)
    emptyDataFrames = TokenBucket(limits.emptyDataFrames)
    controlFrames = TokenBucket(limits.controlFrames)
    resetsReceived = TokenBucket(limits.resetsReceived)
    pings = PingStrikes(limits.pings)
    var options: OpaquePointer?
    guard unsafe nghttp2_option_new(&options) == 0 else { throw .outOfMemory }
    // Ours until the end of init; the session copies what it needs.
    defer { unsafe nghttp2_option_del(options) }
    unsafe nghttp2_option_set_no_auto_window_update(options, 1)
    unsafe nghttp2_option_set_no_closed_streams(options, 1)
    unsafe nghttp2_option_set_max_outbound_ack(options, limits.outboundAcknowledgementsMax)
    // Counted here instead, for the right code.
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

  /// Frees the library's session. Calls nothing back for open streams. Idempotent.
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

  // MARK: - In

  /// Feeds bytes from the peer. Afterwards `events` say what they meant; data events point into
  /// `bytes`, so take them before letting go of it.
  /// - Parameter nowNanoseconds: any monotonic clock, for the rate limits.
  /// - Throws: when the connection cannot go on; what `drain` still gives may be sent first.
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

  /// Hands bytes to the library; negative when the connection cannot go on.
  func feed(_ buffer: UnsafeRawBufferPointer) -> Int32 {
    guard buffer.count > 0, ending == .no else { return 0 }
    // The caller's memory, for the length of the call.
    let count = unsafe nghttp2_session_mem_recv(
      handle, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count)
    return count < 0 ? Int32(count) : 0
  }

  /// Forgets the events taken so far.
  public func removeEvents() { events.removeAll(keepingCapacity: events.capacity <= 512) }

  /// Reads a received header list in order.
  public func forEachField(
    in block: HeaderBlock, _ body: (_ name: RawSpan, _ value: RawSpan) -> Void
  ) {
    headers.forEachField(in: block, body)
  }

  /// Looks at the value of a field of a received list, by its place in that.
  public func withValue<Result>(
    of place: Int, in block: HeaderBlock, _ body: (RawSpan) -> Result
  ) -> Result {
    headers.withValue(of: place, in: block, body)
  }

  /// Keeps a received header list beyond the next `receive`.
  /// - Parameter place: a field that may have any value of that length in a list to be the same.
  public func copy(of block: HeaderBlock, anyValueOf place: Int? = nil) -> HeaderCopy {
    headers.copy(of: block, anyValueOf: place)
  }

  /// Whether a received header list has the same fields in the same order.
  public func block(_ block: HeaderBlock, isSameAs known: HeaderCopy) -> Bool {
    headers.list(block, isSameAs: known)
  }

  /// Says that the application has taken that many bytes of a stream: the peer may send as many.
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

  /// The connection's credit is returned on receipt, so that a slow stream holds up no other,
  /// unless too much lies unread.
  private func returnConnectionCredit() {
    guard connectionDebt > 0, unreadBytes <= limits.unreadBytesMax, unsafe handle != nil else {
      return
    }
    unsafe nghttp2_session_consume_connection(handle, connectionDebt)
    connectionDebt = 0
  }

  // MARK: - Out

  /// Moves output out, a frame at a time, until there is none or `limit` bytes are reached.
  /// - Returns: whether all of it is out.
  public func drain(limit: Int, _ body: (RawSpan) -> Void) throws(SessionError) -> Bool {
    // Streams that ended from our side have given back what lay unread.
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
      if !hasSentSettings, role == .server {
        hasSentSettings = true
        let settings = unsafe Self.announcing(limits.concurrentStreamsMax, in: Array(buffer))
        body(unsafe settings.span.bytes)
      } else if unsafe isWorthSending(buffer) {
        body(unsafe RawSpan(_unsafeBytes: buffer))
      }
    }
    return false
  }

  /// Neither side has anything left to say: close the connection once the output is written.
  public var isFinished: Bool {
    guard unsafe handle != nil, ending != .said else { return true }
    return unsafe nghttp2_session_want_read(handle) == 0
      && nghttp2_session_want_write(handle) == 0
  }

  // MARK: - Streams

  /// Whether the stream of that key is still open.
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

// MARK: - What the callbacks do

extension Session {
  func append(_ event: SessionEvent) { events.append(event) }

  func received(_ bytes: UnsafePointer<UInt8>, count: Int, on stream: StreamKey) -> Bool {
    // The library hands data on in place, so it lies in what was fed.
    guard let fed = unsafe fed else { return false }
    records[Int(stream.slot)].unreadBytes += count
    unreadBytes += count
    connectionDebt += count
    let offset = unsafe UnsafeRawPointer(bytes) - fed
    events.append(.data(stream, offset: offset, count: count))
    return true
  }

  /// Counts a frame against a limit; ends the connection when there have been too many.
  func count(_ kind: Counted) {
    let now = nowNanoseconds
    let isAllowed =
      switch kind {
      case .emptyData: emptyDataFrames.take(nowNanoseconds: now)
      case .provokedReset: resetsProvoked.take(nowNanoseconds: now)
      case .receivedReset: resetsReceived.take(nowNanoseconds: now)
      case .settings: controlFrames.take(nowNanoseconds: now)
      }
    if !isAllowed { terminate(.enhanceYourCalm, "too many frames of one kind") }
  }

  enum Counted { case emptyData, provokedReset, receivedReset, settings }

  /// A PING of a peer: it costs an answer.
  func countPing() {
    guard controlFrames.take(nowNanoseconds: nowNanoseconds) else {
      return terminate(.enhanceYourCalm, "too_many_pings")
    }
    guard role == .server,
      !pings.take(nowNanoseconds: nowNanoseconds, hasStreams: openStreams > 0)
    else { return }
    terminate(.enhanceYourCalm, "too_many_pings")
  }

  /// A frame of a peer that asks for nothing.
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

  /// We have sent HEADERS or DATA.
  func countSent(isData: Bool) {
    if isData { dataFramesSent += 1 }
    pings.forgive()
  }

  /// Queues a GOAWAY after which nothing more is said or heard.
  public func terminate(_ code: ErrorCode, _ reason: StaticString = "") {
    guard unsafe handle != nil, ending == .no else { return }
    ending = .queued
    let last = unsafe nghttp2_session_get_last_proc_stream_id(handle)
    // A static string lives for ever; the library copies it.
    unsafe nghttp2_submit_goaway(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, reason.utf8Start,
      reason.utf8CodeUnitCount)
  }
}
