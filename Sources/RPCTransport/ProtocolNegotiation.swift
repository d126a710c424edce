import NIOCore
import NIOTLS
import RPC

/// Detects the HTTP version of a client, for a server of both, and installs its handlers.
///
/// With TLS, ALPN decides. HTTP/2 is spoken only where it was negotiated; many clients of HTTP/1.1
/// do without ALPN, such as Go's and Python's with an authority of their own. Without TLS, HTTP/2
/// begins with a preface that no HTTP/1.1 request can begin with.
///
/// Confined to its event loop. Sources: RFC 7301; RFC 9113, sections 3.2 and 3.4.
final class ProtocolNegotiation: ChannelInboundHandler, RemovableChannelHandler, ServedConnection,
  @unchecked Sendable
{
  // Guard: all mutable state is touched on `executor.eventLoop` only.
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  enum Version { case http1, http2 }

  /// The start of the HTTP/2 preface; as a method it is reserved (RFC 9113, section 11.6).
  private static let preface = Array("PRI ".utf8)

  let executor: LoopExecutor
  private let isTLS: Bool
  private let timeMax: Duration
  /// Adds the handlers of that version behind this one. Throws if they cannot be added.
  private let install: (Version, ChannelHandlerContext) throws -> Void
  /// Called once, when this handler has ended.
  var ended: (() -> Void)?
  private var context: ChannelHandlerContext?
  private var received: ByteBuffer?
  private var timer: (any ScheduledWork)?
  private var isDecided = false

  init(
    executor: LoopExecutor, isTLS: Bool, timeMax: Duration,
    install: @escaping (Version, ChannelHandlerContext) throws -> Void
  ) {
    self.executor = executor
    self.isTLS = isTLS
    self.timeMax = timeMax
    self.install = install
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    timer = executor.schedule(after: timeMax) { [weak self] in self?.close("it says nothing") }
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDecided else { return context.fireChannelRead(data) }
    var bytes = unwrapInboundIn(data)
    if received?.writeBuffer(&bytes) == nil { received = bytes }
    guard !isTLS, let start = received?.readableBytesView.prefix(Self.preface.count) else { return }
    if !start.elementsEqual(Self.preface.prefix(start.count)) {
      decide(.http1, context)
    } else if start.count == Self.preface.count {
      decide(.http2, context)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if !isDecided, case TLSUserEvent.handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
      decide(negotiated == "h2" ? .http2 : .http1, context, event)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if isDecided { context.fireErrorCaught(error) } else { close("\(error)") }
  }

  private func decide(_ version: Version, _ context: ChannelHandlerContext, _ event: Any? = nil) {
    isDecided = true
    end()
    do { try install(version, context) } catch { return context.close(promise: nil) }
    if let event { context.fireUserInboundEventTriggered(event) }
    if let received {
      context.fireChannelRead(wrapInboundOut(received))
      context.fireChannelReadComplete()
    }
    received = nil
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }

  private func end() {
    timer?.cancel()
    timer = nil
    context = nil
    ended?()
    ended = nil
  }

  // MARK: - For the server

  func isTakenWhenIdle() -> Bool { false }
  func makeRoom() {}
  func giveWay() {}
  var runningCalls: Int { 0 }

  func drain() { close("the server stops") }
  func close(_ reason: String) {
    guard !isDecided, let context else { return }
    context.close(promise: nil)
  }
}
