import Logging
import NIOCore
import NIOHTTP1
import RPC
import Synchronization

/// One HTTP/1.1 connection of a server: one exchange at a time, behind SwiftNIO's own codec.
///
/// Confined to its event loop. Pipelined requests wait in the codec and the socket; each is served
/// when the loop has polled its other sockets.
final class HTTP1Connection: ChannelDuplexHandler, ExchangeTransport, ServedConnection,
  @unchecked Sendable
{
  // Guard: all mutable state is touched on `executor.eventLoop` only.
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = Never
  typealias OutboundOut = HTTPServerResponsePart

  /// Bytes of a request that are still read when its response is complete, so that the client reads
  /// the response before it notices that the connection is closed.
  private static let lingerBytesMax = 1 << 20
  /// The time limit for reading them.
  private static let lingerMax: Duration = .seconds(1)
  /// Bytes of chunk sizes, chunk extensions and line breaks that a body may have beyond those that
  /// ordinary chunks need: as in Go's net/http.
  private static let framingBytesMax = 16 << 10
  /// Bytes of framing that an ordinary chunk needs.
  private static let chunkFramingBytes = 16
  /// The time limit between two requests, about that of nginx and Envoy.
  private static let betweenRequestsMax: Duration = .seconds(60)

  /// The current exchange and its progress.
  private struct Current {
    let exchange: Exchange
    let version: HTTPVersion
    let isHEAD: Bool
    /// Whether the connection is closed after it.
    var isLast: Bool
    /// Whether this is a response to HEAD of unknown length, which NIO would end with an empty
    /// chunk.
    var isHeadOnly = false
    var hasBody = false
    var requestEnded = false
    var responseBegun = false
    /// Body bytes that the application has not taken.
    var unreadBytes = 0
    /// Bytes of the socket that have not become body bytes, beyond what ordinary chunks need.
    var framingBytes = 0
  }

  let executor: LoopExecutor
  private let limits: ConnectionLimits
  private let isTLS: Bool
  private let dispatcher: Dispatcher
  private let logger: Logger
  /// Called once, when the connection is closed and none of its handlers runs.
  var ended: (() -> Void)?
  private(set) var peer = Peer(address: "unknown")
  private(set) lazy var largeMessages = LargeMessageQueue(loop: executor)
  private let drainFlag = Atomic(false)
  private let idleFlag = Atomic(true)

  /// What the connection buffers of an incomplete body.
  private(set) var held: HeldShare
  private var context: ChannelHandlerContext?
  private var current: Current?
  private var requests: Int32 = 0
  /// Whether a response has ended since bytes last arrived: the next request has been here already.
  private var hasAnswered = false
  private var lastMemo: HeadMemo?
  private var runningHandlers = 0
  private var hasPendingRead = false
  private var isClosed = false
  /// Whether the connection is closed once the last response has left.
  private var isLeaving = false
  /// When the end of the last response has left.
  private var lastWritten: EventLoopFuture<Void>?
  /// Whether the codec parses nothing behind the last request, which asks for a tunnel or another
  /// protocol. It would buffer what follows without limit.
  private var isLastParsed = false
  /// Bytes of an answered request that may still be dropped before the connection is closed.
  private var lingering: Int?
  /// The time limit for what is awaited from the client.
  private var timer: (any ScheduledWork)?
  /// The time limit for the client to read what was sent.
  private var writeTimer: (any ScheduledWork)?
  /// When the last bytes of the client arrived, in nanoseconds of the loop's clock.
  private var lastRead: UInt64 = 0

  init(
    executor: LoopExecutor, limits: ConnectionLimits, isTLS: Bool, dispatcher: Dispatcher,
    heldMemory: HeldMemory, logger: Logger
  ) {
    self.executor = executor
    self.limits = limits
    held = HeldShare(of: heldMemory, limits: limits)
    self.isTLS = isTLS
    self.dispatcher = dispatcher
    self.logger = logger
  }

  var loop: any ExchangeLoop { executor }
  var isDraining: Bool { drainFlag.load(ordering: .acquiring) }

  // MARK: - Channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    // The handler is added after the handshake.
    peer = Peer(
      address: HostPort(context.channel.remoteAddress).description,
      certificate: isTLS ? PeerCertificate(of: context) : nil, isTLS: isTLS)
    giveTime(limits.headersMax, for: "a request")
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosed else { return }
    lastRead = NIODeadline.now().uptimeNanoseconds
    switch unwrapInboundIn(data) {
    case .head(let head): received(head)
    case .body(let bytes): received(bytes)
    case .end(let trailers): receivedEnd(trailers)
    }
  }

  func read(context: ChannelHandlerContext) {
    if isFull || isDeaf { hasPendingRead = true } else { context.read() }
  }

  /// Whether the codec would parse nothing of what is read.
  private var isDeaf: Bool { isLastParsed && current?.requestEnded != false }

  /// Whether so many bytes are not taken by the application that no more are read.
  private var isFull: Bool {
    current.map { $0.unreadBytes >= Int(limits.streamWindowBytes) } ?? false
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    writeTimer?.cancel()
    writeTimer = nil
    if context.channel.isWritable {
      if let current { current.exchange.writable() } else { waitForRequest() }
    } else {
      writeTimer = makeTimer(limits.stallMax, for: "the peer to read")
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // While the channel closes, the codec says that the request was not whole.
    guard !isClosed else { return }
    guard let error = error as? HTTPParserError, current?.responseBegun != true else {
      return close("\(error)")
    }
    if lingering == nil { refuse(error == .headerOverflow ? .headersTooLong : .malformed) }
    closeOnceWritten("the peer broke HTTP/1.1: \(error)")
  }

  /// Counts bytes of the socket, before their parts have arrived here. Together with the parts they
  /// show how much of a body is only framing.
  func arrived(_ count: Int) {
    hasAnswered = false
    current?.framingBytes += count
  }

  /// Refuses a body most of which is framing; called behind the parts of the counted bytes.
  func checkFraming() {
    guard let current, !current.requestEnded, current.framingBytes > Self.framingBytesMax else {
      return
    }
    let reason = "the body is mostly framing"
    if current.responseBegun { return close(reason) }
    refuse(.malformed)
    closeOnceWritten(reason)
  }

  func channelInactive(context: ChannelHandlerContext) {
    close("the peer closed the connection")
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { close("the channel was closed") }

  // MARK: - Inbound

  private func received(_ head: HTTPRequestHead) {
    guard current == nil, lingering == nil else { return }
    giveTime(nil)
    isLastParsed = head.method == .CONNECT || head.headers.contains(name: "upgrade")
    guard let fields = HTTP1Head.fields(of: head, isTLS: isTLS) else {
      return giveUp(.malformed, head)
    }
    var request = RequestHead(fields: fields)
    lastMemo = HeadMemo(after: lastMemo)
    request.memo = lastMemo
    // gRPC needs trailers, and streams in both directions at once.
    guard !request.isGRPC else { return giveUp(.needsHTTP2, head) }
    requests &+= 1
    let exchange = Exchange(
      transport: self, id: ExchangeID(id: requests, slot: 0), state: .server)
    current = Current(
      exchange: exchange, version: head.version, isHEAD: head.method == .HEAD,
      isLast: !head.isKeepAlive || head.version == .http1_0 || isLastParsed || isDraining)
    idleFlag.store(false, ordering: .relaxed)
    runningHandlers += 1
    _ = dispatcher.open(exchange, head: request)
    if head.version != .http1_0,
      head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" })
    {
      // Behind what the handler does at once: a request that it refuses needs no body.
      executor.execute { [weak self] in self?.askForBody(of: exchange.id) }
    }
    awaitBody()
  }

  /// Tells a client that waits for it to send the body, unless it began to, or has an answer.
  /// Source: RFC 9110, section 10.1.1.
  private func askForBody(of id: ExchangeID) {
    guard let current, current.exchange.id == id, !current.responseBegun, !current.requestEnded,
      !current.hasBody
    else { return }
    write(.head(HTTPResponseHead(version: current.version, status: .continue)))
    context?.flush()
  }

  /// Sets the time limit for the next bytes of the body, unless the application is behind.
  private func awaitBody() {
    // A handler may have answered before the body was complete: then another time limit runs, for
    // the client to end.
    guard let current, !current.requestEnded else { return }
    giveTime(nil)
    guard !isFull else { return }
    timer = executor.schedule(after: limits.stallMax) { [weak self] in self?.bodyStalled() }
  }

  /// Ends a request of which nothing has arrived in time, by a response of its handler. A stream of
  /// requests may pause, as over HTTP/2.
  private func bodyStalled() {
    guard let current else { return }
    guard current.exchange.isOwedRequest, current.unreadBytes == 0 else { return awaitBody() }
    giveTime(limits.stallMax, for: "the answer to an incomplete request")
    current.exchange.sink?.requestStalled(.requestStalled)
  }

  private func received(_ bytes: ByteBuffer) {
    if let left = lingering {
      lingering = left - bytes.readableBytes
      if left < bytes.readableBytes { close("the rest of the request is too long") }
      return
    }
    guard let exchange = current?.exchange else { return }
    // Bytes that were not read on request: the peer has closed, and SwiftNIO delivers all that is
    // left.
    if hasPendingRead, isFull { return close("the peer closed with a body under way") }
    let count = bytes.readableBytes
    current?.hasBody = true
    current?.unreadBytes += count
    // A chunk of `count` bytes makes up for twice as many bytes of framing.
    let framing = current?.framingBytes ?? 0
    current?.framingBytes = max(0, framing - 3 * count - Self.chunkFramingBytes)
    exchange.received(body: bytes.readableBytesSpan)
    awaitBody()
  }

  private func receivedEnd(_ trailers: HTTPHeaders?) {
    guard lingering == nil else { return closeOnceWritten("answered") }
    guard current != nil else { return }
    giveTime(nil)
    current?.requestEnded = true
    var list: HeaderList?
    if let trailers, !trailers.isEmpty {
      var fields = HeaderList()
      for (name, value) in trailers { fields.add(name.lowercased(), value) }
      list = fields
    }
    current?.exchange.receivedEnd(trailers: list)
  }

  /// Refuses a request that cannot be served, and ends the connection: the start of the next
  /// request is unknown.
  private func giveUp(_ refusal: HTTPRefusal, _ head: HTTPRequestHead) {
    // The end of the response makes the codec deliver the next request, which is dropped.
    lingering = Self.lingerBytesMax
    refuse(refusal, version: head.version, isHEAD: head.method == .HEAD)
    linger()
  }

  private func refuse(
    _ refusal: HTTPRefusal, version: HTTPVersion = .http1_1, isHEAD: Bool = false
  ) {
    write(.head(HTTP1Head.response(refusal.head, version: version, isLast: true)))
    if !isHEAD, let allocator = context?.channel.allocator {
      write(.body(.byteBuffer(allocator.buffer(string: refusal.body))))
    }
    writeEnd(nil)
  }

  // MARK: - Outbound

  func sendHead(_ id: ExchangeID, _ head: OutboundHead, endsStream: Bool) {
    guard var current, current.exchange.id == id else { return }
    var list: HeaderList =
      switch head {
      case .grpc: [":status": "500"]
      case .fields(let list): list
      }
    // This tells a client that is still sending that it can stop.
    current.isLast = current.isLast || !current.requestEnded || isDraining
    current.responseBegun = true
    let hasLength = list.firstIndex(of: "content-length") != nil
    if endsStream, !hasLength, !current.isHEAD { list.add("content-length", "0") }
    current.isHeadOnly = current.isHEAD && !hasLength
    current.isLast = current.isLast || current.isHeadOnly
    write(.head(HTTP1Head.response(list, version: current.version, isLast: current.isLast)))
    self.current = current
    if endsStream { sendEnd(id, .none) } else { context?.flush() }
  }

  func sendBody(_ id: ExchangeID, _ bytes: [UInt8]) -> Bool {
    guard current?.exchange.id == id, let context else { return false }
    write(.body(.byteBuffer(context.channel.allocator.buffer(bytes: bytes))))
    context.flush()
    return !context.channel.isWritable
  }

  func sendEnd(_ id: ExchangeID, _ trailers: OutboundTrailers) {
    guard let done = current, done.exchange.id == id else { return }
    // The end of a response makes the codec deliver the next request. A client that sends many
    // behind each other, whose responses cost nothing but time, would keep the loop for itself.
    guard !hasAnswered || !done.requestEnded else {
      hasAnswered = false
      executor.afterPoll { [weak self] in self?.sendEnd(id, trailers) }
      return
    }
    hasAnswered = true
    current = nil
    done.exchange.closed(.completed)
    let isLast = done.isLast || isDraining
    if isLast || !done.requestEnded {
      lingering = Self.lingerBytesMax
    } else {
      idleFlag.store(true, ordering: .relaxed)
    }
    var fields: HTTPHeaders?
    if case .fields(let list) = trailers { fields = HTTP1Head.trailers(list) }
    if done.isHeadOnly { context?.flush() } else { writeEnd(fields) }
    if !done.requestEnded { return linger() }
    guard isLast else {
      waitForRequest()
      return resumeReading()
    }
    closeOnceWritten("answered")
  }

  /// Writes the end of a response. This makes the codec deliver what has arrived behind the
  /// request, which may end the connection.
  private func writeEnd(_ trailers: HTTPHeaders?) {
    let written = context?.eventLoop.makePromise(of: Void.self)
    lastWritten = written?.futureResult
    context?.write(wrapOutboundOut(.end(trailers)), promise: written)
    context?.flush()
  }

  /// Starts the time limit between two requests, once the response to the first has left.
  private func waitForRequest() {
    guard current == nil, lingering == nil, context?.channel.isWritable == true else { return }
    giveTime(Self.betweenRequestsMax, for: "a request")
  }

  private func write(_ part: HTTPServerResponsePart) {
    context?.write(wrapOutboundOut(part), promise: nil)
  }

  func reset(_ id: ExchangeID, _ code: ResetCode) {
    guard let exchange = current?.exchange, exchange.id == id else { return }
    current = nil
    exchange.closed(.reset(code))
    close("an exchange was given up")
  }

  func consumed(_ id: ExchangeID, _ count: Int) {
    guard current?.exchange.id == id else { return }
    current?.unreadBytes -= count
    guard !isFull else { return }
    // There is none while the application is behind.
    if timer == nil { awaitBody() }
    resumeReading()
  }

  func holds(_ more: Int) -> HeldVerdict { held.add(more) }

  func handlerEnded() {
    runningHandlers -= 1
    tellIfGone()
  }

  /// Reads for a moment longer, since closing at once might destroy the response in transit.
  private func linger() {
    guard !isLeaving else { return }
    lingering = Self.lingerBytesMax
    giveTime(nil)
    timer = executor.schedule(after: Self.lingerMax) { [weak self] in
      self?.closeOnceWritten("the rest of the request is late")
    }
    resumeReading()
  }

  private func resumeReading() {
    guard hasPendingRead, !isDeaf else { return }
    hasPendingRead = false
    context?.read()
  }

  // MARK: - Time limits and closing

  /// Sets the time limit for the client; nil removes it.
  private func giveTime(_ time: Duration?, for what: String = "") {
    timer?.cancel()
    timer = time.map { makeTimer($0, for: what) }
  }

  private func makeTimer(_ time: Duration, for what: String) -> any ScheduledWork {
    executor.schedule(after: time) { [weak self] in self?.close("waited \(time) for \(what)") }
  }

  /// Whether there is a time limit for the client to send or to read. For tests.
  var waits: (isForClient: Bool, isForRoom: Bool) { (timer != nil, writeTimer != nil) }

  func isTakenWhenIdle() -> Bool {
    idleFlag.compareExchange(expected: true, desired: false, ordering: .relaxed).exchanged
  }

  func makeRoom() {
    guard current == nil, lingering == nil else { return }
    closeOnceWritten(Connection.cededReason, within: Connection.cedeMax)
  }

  var runningCalls: Int { current == nil ? 0 : 1 }

  func giveWay() {
    let silence = NIODeadline.now().uptimeNanoseconds &- lastRead
    guard let current, current.exchange.isOwedRequest, !current.responseBegun,
      silence >= Connection.silenceMin
    else { return }
    close(Connection.cededReason)
  }

  func drain() {
    drainFlag.store(true, ordering: .releasing)
    if let current {
      current.exchange.sink?.serverDrains()
    } else if lingering == nil {
      closeOnceWritten("the server stops")
    }
  }

  /// Closes the connection once the last response has left, since closing at once would lose the
  /// rest of it. What arrives meanwhile is dropped.
  private func closeOnceWritten(_ reason: String, within time: Duration? = nil) {
    guard !isClosed, !isLeaving else { return }
    guard let lastWritten else { return close(reason) }
    isLeaving = true
    lingering = lingering ?? Self.lingerBytesMax
    endExchange(reason)
    giveTime(time ?? limits.stallMax, for: "the peer to read")
    lastWritten.assumeIsolated().whenComplete { [weak self] _ in self?.close(reason) }
  }

  private func endExchange(_ reason: String) {
    let lost = current
    current = nil
    lost?.exchange.closed(.connectionLost(reason))
  }

  func close(_ reason: String) {
    guard !isClosed else { return }
    isClosed = true
    giveTime(nil)
    writeTimer?.cancel()
    writeTimer = nil
    logger.debug("connection closed", metadata: ["peer": "\(peer.address)", "reason": "\(reason)"])
    endExchange(reason)
    context?.close(promise: nil)
    context = nil
    tellIfGone()
  }

  private func tellIfGone() {
    guard isClosed, runningHandlers == 0 else { return }
    ended?()
    ended = nil
  }
}
