import HTTP2
import Logging
import NIOCore
import NIOTLS
import RPC
import Synchronization

/// Who keeps a connection. Called on its loop.
protocol ConnectionOwner: AnyObject, Sendable {
  /// The peer's settings have arrived: it speaks HTTP/2.
  func connectionIsReady(_ connection: Connection)
  /// The peer takes no new exchanges.
  func connectionIsGoingAway(_ connection: Connection)
  /// The connection is gone, and on a server its handlers have returned.
  func connectionClosed(_ connection: Connection, reason: String)
}

/// One HTTP/2 connection of either side: the only channel handler there is, behind TLS if any.
///
/// It owns the session and the table of exchanges, and is confined to its event loop.
final class Connection: ChannelDuplexHandler, ExchangeTransport, @unchecked Sendable {
  // Guard: all mutable state is touched on `executor.eventLoop` only.
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = Never
  typealias OutboundOut = ByteBuffer

  /// The plaintext of a TLS record (RFC 8446, section 5.1), which comes whole.
  private static let recordBytesMax = 16 << 10
  /// How long a peer has to close when it was told that it may.
  private static let lingerMax: Duration = .seconds(1)
  /// Output moved out of the session before the channel is asked whether it still takes more.
  private static let outputBatchBytes = 256 << 10

  let executor: LoopExecutor
  let session: Session
  let limits: ConnectionLimits
  let isTLS: Bool
  let logger: Logger
  /// Who answers exchanges; nil on a client.
  let dispatcher: Dispatcher?
  /// Kept until it has heard of the end, whatever it has become meanwhile.
  var owner: (any ConnectionOwner)?
  /// Refuses the peer by its certificate's URIs after the handshake; nil admits it.
  let refusePeer: (@Sendable (Peer) -> String?)?

  @exclusivity(unchecked) var exchanges: [Exchange?] = []
  @exclusivity(unchecked) var lastRequest: LastRequest?
  /// Nil on a server.
  let client: ClientSide?
  /// Handlers that have not returned.
  @exclusivity(unchecked) var runningHandlers = 0
  private(set) var peer = Peer(address: "unknown")
  @exclusivity(unchecked) private(set) var context: ChannelHandlerContext?
  @exclusivity(unchecked) private var isDirty = false
  @exclusivity(unchecked) private(set) var isReady = false
  @exclusivity(unchecked) private(set) var isClosed = false
  private var isReadPaused = false
  private var hasPendingRead = false
  /// It hears `turnCame` before it is read again.
  @exclusivity(unchecked) private var waitsForTurn = false
  @exclusivity(unchecked) private var closeReason: String?
  /// It closes as soon as all is written.
  private var isLeaving = false
  // Timers hold the connection, which cancels them when it ends: a weak reference to it would make
  // each of its many retains take the runtime's slow way.
  private var stallTimer: (any ScheduledWork)?
  private(set) var handshakeTimer: (any ScheduledWork)?
  /// When bytes of the peer came last, in nanoseconds of the loop's clock.
  @exclusivity(unchecked) var lastRead: UInt64 = 0
  @exclusivity(unchecked) var readSize: ReadSize
  /// The turn at hand: bytes read, and when it began.
  @exclusivity(unchecked) var turnBytes = 0
  @exclusivity(unchecked) var turnStart: UInt64 = 0
  /// The loop's round that the last turn was in.
  @exclusivity(unchecked) private var turnRound = UInt64.max
  @exclusivity(unchecked) var share = LoopShare()
  /// What `ReadingTurns` counts on for the next turn of this busy connection, in nanoseconds.
  @exclusivity(unchecked) var promisedTurn: UInt64 = 0
  /// Servers only, as its timers.
  @exclusivity(unchecked) var lifetime: LifetimeState?
  var lifetimeTimer: (any ScheduledWork)?
  @exclusivity(unchecked) var headersTimer: (any ScheduledWork)?
  /// The frame it is for.
  @exclusivity(unchecked) var awaitedFrame = 0
  private(set) lazy var decompressionQueue = DecompressionQueue(loop: executor)
  /// Bytes of messages that are not whole.
  @exclusivity(unchecked) var heldBytes = 0
  /// Where handlers wait that would make more than the peer takes.
  var room: WaitPoint?
  /// Whether no call runs, for other threads.
  let idleFlag = Atomic(true)
  /// `draining` for other threads.
  let drainFlag = Atomic(false)
  @exclusivity(unchecked) var draining: Draining = .no

  /// The request head that came last, and the method it names if it names one. Shared, not copied.
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

  /// How far a graceful stop is.
  enum Draining { case no, announced, final }

  init(
    _ role: Session.Role, executor: LoopExecutor, limits: ConnectionLimits, isTLS: Bool,
    readBytesMax: Int = ReadSize.bytesMin, dispatcher: Dispatcher?, owner: any ConnectionOwner,
    endpoint: Endpoint? = nil, callsMax: Int = .max, logger: Logger,
    refusePeer: (@Sendable (Peer) -> String?)? = nil
  ) throws {
    self.executor = executor
    self.limits = limits
    self.isTLS = isTLS
    self.dispatcher = dispatcher
    self.owner = owner
    self.logger = logger
    self.refusePeer = refusePeer
    readSize = ReadSize(bytesMax: readBytesMax)
    client = role == .client ? ClientSide(endpoint, callsMax: callsMax) : nil
    // A server makes its connections on their loop; a client where it happens to be, so what its
    // session begins with may not come from the memory of another thread.
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

  func handlerRemoved(context: ChannelHandlerContext) { ended("the channel was closed") }

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
    // A server takes no more of a peer that takes nothing of us; a client always reads, since
    // what it gets is bounded by its windows, so that two sides cannot wait for each other.
    if isReadPaused || waitsForTurn {
      hasPendingRead = true
    } else if session.role == .client || executor.admit(self) {
      context.read()
    } else {
      hasPendingRead = true
      waitsForTurn = true
    }
  }

  /// Its turn has come to be read.
  func turnCame() {
    waitsForTurn = false
    resumeReading()
  }

  private func resumeReading() {
    guard hasPendingRead, !isReadPaused, !waitsForTurn, let context else { return }
    hasPendingRead = false
    context.read()
  }

  /// Begins a turn with its first bytes; more of the same turn come with TLS only.
  /// - Returns: false when the peer is gone: of one that has closed SwiftNIO reads all that is left
  ///   at once, however long that keeps the others waiting. What it still asks for nobody can
  ///   answer.
  private func beginTurn() -> Bool {
    if turnBytes > 0 {
      return session.role == .client || isTLS && turnBytes < readSize.bytes + Self.recordBytesMax
        || departed()
    }
    turnStart = lastRead
    executor.redeem(self)
    guard session.role == .server else { return true }
    if turnRound == executor.round { return departed() }
    turnRound = executor.round
    return true
  }

  private func departed() -> Bool {
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
      close("the peer closed the connection")
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func handshakeCompleted(_ context: ChannelHandlerContext, negotiated: String?) {
    // NIOSSL lets a peer without a common ALPN protocol in; HTTP/2 over TLS needs it.
    // Source: RFC 9113, section 3.2.
    guard negotiated == "h2" else { return close("TLS without ALPN h2") }
    peer.certificate = PeerCertificate(of: context)
    if let refusal = refusePeer?(peer) { return close(refusal) }
    markDirty()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    close("\(error)")
  }

  func channelInactive(context: ChannelHandlerContext) {
    ended("the peer closed the connection")
    executor.endRead()
    context.fireChannelInactive()
  }

  // MARK: - Output

  /// There is something to send: it leaves with the batch at hand.
  func markDirty() {
    guard !isDirty, !isClosed else { return }
    isDirty = true
    executor.markDirty(self)
  }

  /// Moves the session's output to the channel, as much as that takes.
  func flush() {
    isDirty = false
    guard let context, !isClosed, context.channel.isActive else { return }
    do {
      while context.channel.isWritable {
        executor.output.clear()
        let isAll = try session.drain(limit: Self.outputBatchBytes) {
          executor.output.writeBytes($0)
        }
        if executor.output.readableBytes > 0 {
          context.writeAndFlush(wrapOutboundOut(executor.output), promise: nil)
        }
        handleEvents(fed: nil)
        if isAll { break }
      }
    } catch {
      fail("the session cannot go on: \(error)")
    }
    if let room, !isCongested { room.signal() }
    closeIfDone()
  }

  /// Closes when the session is over, or a drained connection has nothing left.
  func closeIfDone() {
    guard !isClosed, let context, context.channel.isWritable else { return }
    if let closeReason { return closeOnceWritten(closeReason, context) }
    if session.isFinished {
      return closeOnceWritten("the session is over", context, lingers: !isTLS)
    }
    if draining == .final, session.openStreams == 0, runningHandlers == 0, !isDirty {
      closeOnceWritten("drained", context, lingers: !isTLS)
    }
  }

  /// What was written may still wait for a slow peer, and closing would drop it.
  /// - Parameter lingers: whether the peer has the last word: a socket that is closed while bytes
  ///   of the peer lie unread is reset, and with it goes what the peer has not taken.
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

  // MARK: - End

  /// Closes after what the session still has to say.
  func fail(_ reason: String) {
    guard closeReason == nil else { return }
    closeReason = reason
    markDirty()
  }

  /// Closes now. Idempotent.
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

  /// The last word: the connection is closed and no handler of it runs.
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
