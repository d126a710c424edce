/// The messages a client streams; for one consumer, from any task.
///
/// Ends when the client has ended its side. Throws `RPCError`: when the client gave up, the
/// deadline passed, or a message was too large or malformed.
public struct RequestStream<Message: WireMessage>: AsyncSequence, Sendable {
  public typealias Element = Message

  @usableFromInline let inbox: Inbox

  @usableFromInline init(inbox: Inbox) { self.inbox = inbox }

  public struct AsyncIterator: AsyncIteratorProtocol {
    @usableFromInline let inbox: Inbox

    @usableFromInline init(inbox: Inbox) { self.inbox = inbox }

    @inlinable public mutating func next() async throws -> Message? {
      if inbox.isOnLoop, let message = try inbox.takeMessage(Message.self) { return message }
      return try await inbox.nextMessageOnLoop(Message.self)
    }
  }

  /// Whether the client had compressed the message that was taken last.
  public var lastWasCompressed: Bool {
    get async { await inbox.exchange.onLoop { inbox.lastWasCompressed } }
  }

  @inlinable public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(inbox: inbox) }
}
