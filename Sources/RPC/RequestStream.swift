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

    /// What has arrived: waits for one message, and takes those that came with it, at most `limit`
    /// in all; none at the end. What is wrong with a later one is thrown by the next call.
    public mutating func next(upTo limit: Int) async throws -> [Message] {
      guard let first = try await next() else { return [] }
      var messages = [first]
      while messages.count < limit, inbox.isOnLoop {
        do {
          guard let message = try inbox.takeMessage(Message.self) else { break }
          messages.append(message)
        } catch let error as RPCError {
          inbox.fail(error)
          break
        }
      }
      return messages
    }
  }

  /// Whether the client had compressed the message that was taken last.
  public var lastWasCompressed: Bool {
    get async { await inbox.exchange.onLoop { inbox.lastWasCompressed } }
  }

  @inlinable public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(inbox: inbox) }
}
