import HTTP2
import Logging
import NIOCore
import NIOTLS
import RPC
import Synchronization

/// The owner of a connection. Called on the connection's loop.
protocol ConnectionOwner: AnyObject, Sendable {
  /// Called when the peer's SETTINGS have arrived: it speaks HTTP/2.
  func connectionIsReady(_ connection: Connection)
  /// Called when the peer accepts no new exchanges.
  func connectionIsGoingAway(_ connection: Connection)
  /// Called when the connection is closed and, on a server, its handlers have returned.
  func connectionClosed(_ connection: Connection, reason: String)
}

/// One HTTP/2 connection of either side: the only channel handler of its pipeline, besides TLS.
///
/// It owns the session and the table of exchanges. Confined to its event loop.
final class Connection: ChannelDuplexHandler, ExchangeTransport, @unchecked Sendable {
  // Guard: all mutable state is touched on `executor.eventLoop` only.
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = Never
  typealias OutboundOut = ByteBuffer

  /// The largest plaintext of a TLS record (RFC 8446, section 5.1), which is delivered as a whole.
  private static let recordBytesMax = 16 << 10
  /// The time for a peer to close the connection after this side has ended its output.
  private static let lingerMax: Duration = .seconds(1)
  /// The bytes of a peer that has closed its side that are always read, whatever time they take.
  private static let departedBytesMax = 4 << 10
  /// The calls that such a peer may open with them. Small heads are cheap to read and expensive to
  /// answer: in four KiB there are a hundred calls, most of them for nobody.
  private static let departedCallsMax = 16
  /// The output of a turn; what is left is written when the loop has polled its other sockets. As
  /// many bytes take about as long as a turn of reading.
  private static let outputTurnBytes = 256 << 10

  let executor: LoopExecutor
  let session: Session
  let limits: ConnectionLimits
  let isTLS: Bool
  let logger: Logger
  /// Answers the exchanges; nil on a client.
  let dispatcher: Dispatcher?
  /// Retained until the end of the connection was reported to it, whatever became of it before.
  @exclusivity(unchecked) var owner: (any ConnectionOwner)?
  /// Returns why a peer is refused after the handshake, by its certificate's URIs; nil admits it.
  let refusePeer: (@Sendable (Peer) -> String?)?

  @exclusivity(unchecked) var exchanges: [Exchange?] = []
  @exclusivity(unchecked) var isCrowded = false
  @exclusivity(unchecked) var lastRequest: LastRequest?
  /// The state that only a client has; nil on a server.
  let client: ClientSide?
  /// The number of handlers that have not returned.
  @exclusivity(unchecked) var runningHandlers = 0
  @exclusivity(unchecked) private(set) var peer = Peer(address: "unknown")
  @exclusivity(unchecked) private(set) var context: ChannelHandlerContext?
  @exclusivity(unchecked) private var isDirty = false
  @exclusivity(unchecked) private(set) var isReady = false
  @exclusivity(unchecked) private(set) var isClosed = false
  @exclusivity(unchecked) private var isReadPaused = false
  @exclusivity(unchecked) private var hasPendingRead = false
  /// Whether the connection waits for `turnCame()` before it is read again.
  @exclusivity(unchecked) private var waitsForTurn = false
  @exclusivity(unchecked) private var closeReason: String?
  /// Whether the connection closes as soon as everything is written.
  @exclusivity(unchecked) private var isLeaving = false
  // Timers retain the connection, which cancels them when it ends: a weak reference would make the
  // runtime take the slow path for each of its many retains.
  @exclusivity(unchecked) private var stallTimer: (any ScheduledWork)?
  @exclusivity(unchecked) private(set) var handshakeTimer: (any ScheduledWork)?
  /// When the last bytes of the peer arrived, in nanoseconds of the loop's clock.
  @exclusivity(unchecked) var lastRead: UInt64 = 0
  @exclusivity(unchecked) var readSize: ReadSize
  /// The bytes read in the current turn.
  @exclusivity(unchecked) var turnBytes = 0
  /// When the current turn began, in nanoseconds of the loop's clock.
  @exclusivity(unchecked) var turnStart: UInt64 = 0
  /// The loop's round in which the last turn was, when it began, the bytes read in it, and the
  /// streams that were opened before.
  @exclusivity(unchecked) private var turnRound = UInt64.max
  @exclusivity(unchecked) private var roundStart: UInt64 = 0
  @exclusivity(unchecked) private var roundBytes = 0
  @exclusivity(unchecked) private var streamsBefore = 0
  /// Whether the client has ended its side.
  @exclusivity(unchecked) var isInputOver = false
  /// Ends the wait for a peer to take its last responses before it leaves.
  @exclusivity(unchecked) var leaveTimer: (any ScheduledWork)?
  @exclusivity(unchecked) var share = LoopShare()
  /// The time that `ReadingTurns` has granted to the next turn of this busy connection, in
  /// nanoseconds.
  @exclusivity(unchecked) var promisedTurn: UInt64 = 0
  /// Keepalive, age and idle time; servers only, like the timers below.
  @exclusivity(unchecked) var lifetime: LifetimeState?
  @exclusivity(unchecked) var lifetimeTimer: (any ScheduledWork)?
  @exclusivity(unchecked) var headersTimer: (any ScheduledWork)?
  /// The frame that `headersTimer` is for.
  @exclusivity(unchecked) var awaitedFrame = 0
  private(set) lazy var largeMessages = LargeMessageQueue(loop: executor)
  /// What the connection buffers of requests.
  @exclusivity(unchecked) var held: HeldShare
  /// Where handlers wait that would produce more output than the peer reads.
  @exclusivity(unchecked) var room: WaitPoint?
  /// Whether no call is running, for other threads.
  let idleFlag = Atomic(true)
  /// Whether the connection is draining, for other threads.
  let drainFlag = Atomic(false)
  @exclusivity(unchecked) var draining: Draining = .no
  /// Why, for the debug data of GOAWAY.
  @exclusivity(unchecked) var drainReason = ""

  /// The last request head, and its method if it names one. A class, so that calls share it.
  final class LastRequest {
    let copy: HeaderCopy
    let head: RequestHead
    let method: MethodHandler?

    init(copy: HeaderCopy, head: RequestHead, method: MethodHandler?) {
      self.copy = copy
      self.head = head
      self.method = method
    }
  }

  /// The progress of a graceful shutdown.
  enum Draining { case no, announced, final }

  init(
    _ role: Session.Role, executor: LoopExecutor, limits: ConnectionLimits, isTLS: Bool,
    readBytesMax: Int = ReadSize.bytesMin, dispatcher: Dispatcher?, owner: any ConnectionOwner,
    endpoint: Endpoint? = nil, callsMax: Int = .max, heldMemory: HeldMemory? = nil, logger: Logger,
    refusePeer: (@Sendable (Peer) -> String?)? = nil
  ) throws {
    self.executor = executor
    self.limits = limits
    self.isTLS = isTLS
    self.dispatcher = dispatcher
    self.owner = owner
    held = HeldShare(of: heldMemory, limits: limits)
    self.logger = logger
    self.refusePeer = refusePeer
    readSize = ReadSize(bytesMax: readBytesMax)
    client = role == .client ? ClientSide(endpoint, callsMax: callsMax) : nil
    // A server creates a connection on its loop, a client on any thread. So the memory that a
    // client's session starts with may not come from another thread's allocator.
    let memory = role == .client ? SessionMemory() : executor.sessionMemory
    session = try Session(role, limits: limits.session, memory: memory)
  }

  var loop: any ExchangeLoop { executor }

  // MARK: - Channel

  func handlerAdded(context: ChannelHandlerContext) {
    // It may have been closed before there was a channel.
    guard !isClosed else { return context.close(promise: nil) }
    self.context = context
    if context.channel.isActive { begin(context) }
  }

  /// A client's connection that was never active ends when its attempt fails, which knows why.
  func handlerRemoved(context: ChannelHandlerContext) {
    if session.role == .client, handshakeTimer == nil, !isReady { return }
    ended("the channel was closed")
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard handshakeTimer == nil, !isReady, !isClosed else { return }
    peer = Peer(address: HostPort(context.channel.remoteAddress).description, isTLS: isTLS)
    handshakeTimer = executor.schedule(after: limits.handshakeMax) { [self] in
      handshakeTimedOut()
    }
    // A client speaks first; a server's settings may go out at once too.
    if !isTLS { markDirty() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard !isClosed, closeReason == nil else { return }
    lastRead = NIODeadline.now().uptimeNanoseconds
    guard beginTurn() else { return }
    executor.beginRead(at: lastRead)
    do {
      let span = buffer.readableBytesSpan
      turnBytes += span.byteCount
      roundBytes += span.byteCount
      try session.receive(span, nowNanoseconds: lastRead)
      handleEvents(fed: span)
    } catch {
      handleEvents(fed: nil)
      fail("the peer broke HTTP/2: \(error)")
    }
    watchHeaders()
    markDirty()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    executor.endRead()
    turnEnded()
    context.fireChannelReadComplete()
  }

  func read(context: ChannelHandlerContext) {
    // A server stops reading from a peer that does not read itself. A client always reads, since
    // its windows bound what arrives; so two sides cannot wait for each other.
    if isReadPaused || waitsForTurn {
      hasPendingRead = true
    } else if session.role == .client || executor.admit(self) {
      context.read()
    } else {
      hasPendingRead = true
      waitsForTurn = true
    }
  }

  /// Reads the connection, whose turn has come.
  func turnCame() {
    waitsForTurn = false
    resumeReading()
  }

  private func resumeReading() {
    guard hasPendingRead, !isReadPaused, !waitsForTurn, let context else { return }
    hasPendingRead = false
    context.read()
  }

  /// Starts a turn with its first bytes; only with TLS, further ones belong to the same turn.
  /// - Returns: False if the peer has left too much behind. After a peer has closed its side,
  ///   SwiftNIO reads everything that is left at once, however long that delays other connections.
  private func beginTurn() -> Bool {
    if turnBytes > 0 {
      return session.role == .client || isTLS && turnBytes < readSize.bytes + Self.recordBytesMax
        || mayReadOn()
    }
    turnStart = lastRead
    executor.redeem(self)
    guard session.role == .server else { return true }
    if turnRound == executor.round { return mayReadOn() }
    turnRound = executor.round
    roundStart = lastRead
    roundBytes = 0
    streamsBefore = session.streamsOpened
    return true
  }

  /// Returns whether more is read in the same round, from a peer that has closed its side: what a
  /// few requests need, or as much as takes the time of a turn, but never more than a few requests.
  /// Otherwise closes the connection, behind the answers to what was read.
  private func mayReadOn() -> Bool {
    let time = lastRead &- roundStart
    let calls = session.streamsOpened - streamsBefore
    if roundBytes < Self.departedBytesMax || time < ReadSize.turnNanosecondsMax,
      calls < Self.departedCallsMax
    {
      return true
    }
    flush()
    close("the peer closed with requests under way")
    return false
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      stallTimer?.cancel()
      stallTimer = nil
      isReadPaused = false
      resumeReading()
      markDirty()
    } else {
      isReadPaused = session.role == .server
      stallTimer?.cancel()
      stallTimer = executor.schedule(after: limits.stallMax) { [self] in
        close("the peer took nothing for \(limits.stallMax)")
      }
    }
    context.fireChannelWritabilityChanged()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
      handshakeCompleted(context, negotiated: negotiated)
    } else if case ChannelEvent.inputClosed? = event as? ChannelEvent {
      inputEnded()
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func handshakeCompleted(_ context: ChannelHandlerContext, negotiated: String?) {
    // NIOSSL accepts a peer without a common ALPN protocol; HTTP/2 over TLS requires one.
    // Source: RFC 9113, section 3.2.
    guard negotiated == "h2" else { return close("TLS without ALPN h2") }
    peer.certificate = PeerCertificate(of: context)
    if let refusal = refusePeer?(peer) { return close(refusal) }
    markDirty()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A server hears next that the input is closed, and the peer may still read.
    if session.role == .server, ConnectionFailure.isCutTLS(error) { return }
    close(ConnectionFailure.text(error))
  }

  func channelInactive(context: ChannelHandlerContext) {
    ended(Self.inputEnd)
    executor.endRead()
    context.fireChannelInactive()
  }

  // MARK: - Output

  /// Schedules a flush at the end of the current batch.
  func markDirty() {
    guard !isDirty, !isClosed else { return }
    isDirty = true
    executor.markDirty(self)
  }

  /// Moves the session's output to the channel, if that is writable: as much as a turn may take.
  func flush() {
    isDirty = false
    guard let context, !isClosed, context.channel.isActive else { return }
    var hasMore = false
    do {
      if context.channel.isWritable {
        executor.output.clear()
        hasMore = try !session.drain(limit: Self.outputTurnBytes) {
          executor.output.writeBytes($0)
        }
        if executor.output.readableBytes > 0 {
          context.writeAndFlush(wrapOutboundOut(executor.output), promise: nil)
        }
        handleEvents(fed: nil)
      }
    } catch {
      fail("the session cannot go on: \(error)")
    }
    if let room, !isCongested { room.signal() }
    guard hasMore, !isClosed, context.channel.isWritable else { return closeIfDone() }
    executor.afterPoll { [self] in markDirty() }
  }

  /// Closes the connection if the session is finished, or if it is drained and nothing is left.
  func closeIfDone() {
    guard !isClosed, let context, context.channel.isWritable else { return }
    if let closeReason {
      // A peer that broke a rule may have sent more, and is to read which rule that was. One that
      // has left, or that cedes its place, is not waited for.
      let lingers = session.role == .server && !isTLS && leaveTimer == nil && !isInputOver
      return closeOnceWritten(closeReason, context, lingers: lingers)
    }
    let isDrained =
      draining == .final && session.openStreams == 0 && runningHandlers == 0 && !isDirty
    if session.isFinished || isDrained {
      // A client that said goodbye is told so too. Source: RFC 9113, section 6.8.
      if session.role == .server, !session.hasSaidLast {
        session.submitGoAway()
        return markDirty()
      }
      closeOnceWritten(isDrained ? "drained" : "the session is over", context, lingers: !isTLS)
    } else if isInputOver, !owesAnswers {
      closeOnceWritten(Self.inputEnd, context)
    }
  }

  /// Closes the connection once everything is written: output may still wait for a slow peer, and
  /// closing would drop it.
  /// - Parameter lingers: Whether the peer closes first. A socket that is closed with unread bytes
  ///   of the peer is reset, and the peer then loses what it has not read.
  private func closeOnceWritten(
    _ reason: String, _ context: ChannelHandlerContext, lingers: Bool = false
  ) {
    guard !isLeaving else { return }
    isLeaving = true
    closeReason = reason
    stallTimer = executor.schedule(after: limits.stallMax) { [self] in close(reason) }
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { [self] _ in
      guard lingers, !isClosed, let context = self.context else { return close(reason) }
      stallTimer?.cancel()
      stallTimer = executor.schedule(after: Self.lingerMax) { [self] in close(reason) }
      context.close(mode: .output, promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
  }

  // MARK: - Closing

  /// Closes the connection after the remaining output of the session.
  func fail(_ reason: String) {
    guard closeReason == nil else { return }
    closeReason = reason
    markDirty()
  }

  /// Closes the connection at once. Idempotent.
  func close(_ reason: String) {
    guard !isClosed else { return }
    if closeReason == nil { closeReason = reason }
    guard let context else { return ended(reason) }
    context.close(promise: nil)
    ended(reason)
  }

  private func ended(_ reason: String) {
    guard !isClosed else { return }
    isClosed = true
    let reason = closeReason ?? reason
    stallTimer?.cancel()
    handshakeTimer?.cancel()
    stallTimer = nil
    handshakeTimer = nil
    lifetimeTimer?.cancel()
    headersTimer?.cancel()
    leaveTimer?.cancel()
    endClient()
    let lost = exchanges.compactMap { $0 }.map { ($0, closeReason(of: $0, reason)) }
    session.close()
    exchanges = []
    room?.signal()
    client?.ended(lost.map(\.1))
    end(lost[...])
    logger.debug("connection closed", metadata: ["peer": "\(peer.address)", "reason": "\(reason)"])
    context = nil
    executor.redeem(self)
    executor.abandonRead()
    closeReason = reason
    tellOwnerIfGone()
  }

  /// Reports the end to the owner when the connection is closed and none of its handlers runs.
  func tellOwnerIfGone() {
    guard isClosed, runningHandlers == 0, let told = owner else { return }
    owner = nil
    told.connectionClosed(self, reason: closeReason ?? "closed")
  }

  func becameReady() {
    guard !isReady else { return }
    isReady = true
    if session.role == .client { settingsAcknowledged() }
    owner?.connectionIsReady(self)
  }

  func settingsAcknowledged() {
    handshakeTimer?.cancel()
    handshakeTimer = nil
  }
}
