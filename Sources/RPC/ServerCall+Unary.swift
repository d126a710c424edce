/// A call with a single request; the handler starts when it has arrived and the client half-closed.
///
/// Not generic, and neither are its subclasses: the message types are in the method's closure,
/// created once, so that a call instantiates no metadata.
/// Guard: all mutable state is touched on `exchange.loop` only.
@usableFromInline
class SingleRequestCall: ServerCall, @unchecked Sendable {
  @exclusivity(unchecked) private var framer: MessageFramer?
  /// The request with its prefix. The handler decodes it, so that interceptors run first.
  @exclusivity(unchecked) private var request: [UInt8] = []
  @exclusivity(unchecked) private var requestBytes = 0

  override init(_ setup: Setup) {
    super.init(setup)
    setup.exchange.awaitsRequest = true
  }

  final override var receivedMessageBytes: Int { requestBytes }

  final override func received(body bytes: RawSpan) {
    exchange.consumed(bytes.byteCount)
    guard bytes.byteCount > 0 else { return }
    if !request.isEmpty { return refuse(surplusBytes: bytes.byteCount) }
    if framer == nil, bytes.byteCount >= MessageFramer.prefixBytes {
      // The usual case: the whole message is in one chunk.
      let (flag, length) = MessageFramer.prefix(of: bytes)
      if flag == 0, length == bytes.byteCount - MessageFramer.prefixBytes,
        length <= server.limits.messageBytesMax
      {
        request = bytes.withUnsafeBytes { Array($0) }
        return
      }
    }
    assemble(bytes)
  }

  private func assemble(_ bytes: RawSpan) {
    guard !hasEnded else { return }
    var building = framer ?? MessageFramer(messageBytesMax: server.limits.messageBytesMax)
    framer = nil
    building.append(bytes)
    switch building.front() {
    case .incomplete:
      framer = building
      if let error = exchange.hold(building.unreadBytes).refusal { refuse(error) }
    case .violation(let error): refuse(error)
    case .message(let range):
      let surplus = building.unreadBytes - range.count - MessageFramer.prefixBytes
      if surplus > 0 {
        refuse(surplusBytes: surplus)
      } else {
        request = building.takeAll()
        if let error = exchange.hold(request.count).refusal { refuse(error) }
      }
    }
  }

  final override func stopped(_ error: @autoclosure () -> RPCError) {
    framer = nil
    request = []
    exchange.hold(0)
  }

  final override func requestStalled(_ error: RPCError) { refuse(error) }

  /// Refuses a request with more than one message. Source: gRPC's statuscodes.md, cardinality
  /// violation.
  private func refuse(surplusBytes: Int) {
    refuse(
      surplusBytes < MessageFramer.prefixBytes
        ? RPCError(.internalError, "the request goes on behind its message")
        : RPCError(.unimplemented, "the request has several messages, the method takes one"))
  }

  final override func receivedEnd(trailers: HeaderList?) {
    guard !request.isEmpty else {
      return refuse(
        framer == nil
          ? RPCError(.unimplemented, "the request has no message, the method takes one")
          : RPCError(.internalError, "the request ended within its message"))
    }
    requestBytes = request.count - MessageFramer.prefixBytes
    // It is held until the call has ended: a handler may have to wait for its start, or for others.
    start()
  }

  /// Takes the request with its prefix, decompressed if it was compressed. The handler calls this
  /// once, so that interceptors run first.
  /// - Throws: `CancellationError` if the call has ended meanwhile.
  nonisolated(nonsending) final func takeRequest() async throws -> [UInt8] {
    guard let flag = request.first else { throw CancellationError() }
    defer { request = [] }
    if flag == 0 { return request }
    context.requestWasCompressed = true
    guard let encoding = context.head.messageEncoding else { throw MessageEncoding.unknown }
    return try await encoding.decompress(
      framed: request, messageBytesMax: server.limits.messageBytesMax,
      queue: exchange.transport.largeMessages)
  }
}

/// A call with one request and one response. Confined to its loop like its superclass.
@usableFromInline
final class UnaryCall: SingleRequestCall, @unchecked Sendable {
  /// The handler, from the request with its prefix to the response with its own.
  @usableFromInline typealias Body =
    nonisolated(nonsending) @Sendable ([UInt8], ServerContext) async throws -> [UInt8]
  private let body: Body

  init(_ setup: Setup, _ body: @escaping Body) {
    self.body = body
    super.init(setup)
  }

  override nonisolated(nonsending) func invoke() async throws {
    answer(try await body(takeRequest(), context))
  }
}

/// A call with one request and a stream of responses. Confined to its loop like its superclass.
@usableFromInline
final class ServerStreamingCall: SingleRequestCall, @unchecked Sendable {
  @usableFromInline typealias Body =
    nonisolated(nonsending) @Sendable ([UInt8], ServerStreamingCall) async throws -> Void
  private let body: Body

  init(_ setup: Setup, _ body: @escaping Body) {
    self.body = body
    super.init(setup)
  }

  override nonisolated(nonsending) func invoke() async throws {
    try await body(takeRequest(), self)
  }
}
