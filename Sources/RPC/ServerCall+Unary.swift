/// A call whose request is one message; it is decoded where it arrived and starts the handler.
class SingleRequestCall<Input: WireMessage>: ServerCall, @unchecked Sendable {
  // Guard: all mutable state is touched on `exchange.loop` only.
  private var framer: MessageFramer?
  /// The request, or why there is none: interceptors run first and the handler throws it.
  private var request: Result<Input, any Error>?

  final override func received(body bytes: RawSpan) {
    exchange.consumed(bytes.byteCount)
    if framer == nil, request == nil, bytes.byteCount >= MessageFramer.prefixBytes {
      // The usual case: the whole message is in one chunk.
      let (flag, length) = MessageFramer.prefix(of: bytes)
      if flag == 0, length == bytes.byteCount - MessageFramer.prefixBytes,
        length <= server.limits.messageBytesMax
      {
        return decode(bytes.extracting(droppingFirst: MessageFramer.prefixBytes))
      }
    }
    guard bytes.byteCount > 0 else { return }
    if request != nil { return refuse(RPCError(.internalError, "a unary call has two messages")) }
    assemble(bytes)
  }

  private func assemble(_ bytes: RawSpan) {
    var building = framer ?? MessageFramer(messageBytesMax: server.limits.messageBytesMax)
    framer = nil
    building.append(bytes)
    switch building.front() {
    case .incomplete: framer = building
    case .violation(let error): refuse(error)
    case .message(let range):
      request = Result { try building.decode(range) }
      building.take(range)
      if building.unreadBytes > 0 {
        refuse(RPCError(.internalError, "a unary call has two messages"))
      }
    }
  }

  private func decode(_ bytes: RawSpan) {
    do {
      request = .success(try MessageFramer.decode(bytes))
    } catch {
      request = .failure(error)
    }
  }

  final override func receivedEnd(trailers: HeaderList?) {
    guard request != nil else {
      return refuse(
        RPCError(
          .internalError,
          framer == nil ? "the request has no message" : "the request ended within its message"))
    }
    start()
  }

  /// The request, once.
  final func takeRequest() throws -> Input {
    defer { request = nil }
    guard let request else { throw RPCError(.internalError, "the request was taken before") }
    return try request.get()
  }
}

/// One request, one response.
final class UnaryCall<Input: WireMessage, Output: WireMessage>: SingleRequestCall<Input>,
  @unchecked Sendable
{
  // Guard: as its superclass.
  private let body: @Sendable (Input, ServerContext) async throws -> Output

  init(_ setup: Setup, _ body: @escaping @Sendable (Input, ServerContext) async throws -> Output) {
    self.body = body
    super.init(setup)
  }

  override func invoke() async throws {
    let output = try await body(try takeRequest(), context)
    answer(try MessageFramer.frame(output))
  }
}

/// One request, a stream of responses.
final class ServerStreamingCall<Input: WireMessage, Output: WireMessage>:
  SingleRequestCall<Input>, @unchecked Sendable
{
  // Guard: as its superclass.
  typealias Body = @Sendable (Input, ResponseWriter<Output>, ServerContext) async throws -> Void
  private let body: Body

  init(_ setup: Setup, _ body: @escaping Body) {
    self.body = body
    super.init(setup)
  }

  override func invoke() async throws {
    try await body(try takeRequest(), ResponseWriter(call: self), context)
  }
}
