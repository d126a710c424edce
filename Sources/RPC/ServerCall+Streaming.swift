/// A call with a stream of requests; the handler starts at once.
/// Guard: all mutable state is touched on `exchange.loop` only.
@usableFromInline
final class StreamedRequestCall: ServerCall, @unchecked Sendable {
  @usableFromInline typealias Body =
    nonisolated(nonsending) @Sendable (StreamedRequestCall) async throws -> Void
  private let body: Body
  @usableFromInline let inbox: Inbox

  init(_ setup: Setup, _ body: @escaping Body) {
    self.body = body
    inbox = Inbox(
      setup.exchange, messageBytesMax: setup.server.limits.messageBytesMax,
      encoding: setup.context.head.messageEncoding)
    super.init(setup)
    start()
  }

  override var receivedMessageBytes: Int { inbox.receivedMessageBytes }

  override nonisolated(nonsending) func invoke() async throws { try await body(self) }

  override func received(body bytes: RawSpan) { inbox.received(body: bytes) }

  override func receivedEnd(trailers: HeaderList?) { inbox.receivedEnd(trailers: trailers) }

  override func stopped(_ error: @autoclosure () -> RPCError) { inbox.fail(error()) }
}
