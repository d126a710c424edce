/// The messages that a client streams, for one consumer on any task.
///
/// Ends when the client half-closes. Throws `RPCError` if the client cancels the call, the deadline
/// passes, or a message is too large or malformed.
public struct RequestStream<Message: WireMessage>: AsyncSequence, Sendable {
  /// The type of the request messages.
  public typealias Element = Message

  @usableFromInline let inbox: Inbox

  @usableFromInline init(inbox: Inbox) { self.inbox = inbox }

  /// Takes the messages one by one. For one task at a time; all iterators of a stream share its
  /// messages.
  public struct AsyncIterator: AsyncIteratorProtocol {
    @usableFromInline let inbox: Inbox

    @usableFromInline init(inbox: Inbox) { self.inbox = inbox }

    /// Waits for the next message; nil at the end, which is the client's half-close.
    /// - Throws: `RPCError` as the stream does, also if the task is cancelled.
    @inlinable public mutating func next() async throws -> Message? {
      if inbox.isOnLoop, let message = try inbox.takeMessage(Message.self) { return message }
      return try await inbox.nextMessageOnLoop(Message.self)
    }

    /// Waits for one message and returns it with those that have arrived behind it, at most `limit`
    /// in all; empty at the end. The error of a later message is thrown by the next call.
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

  /// Whether the last message taken was compressed by the client.
  public var lastWasCompressed: Bool {
    get async { await inbox.exchange.onLoop { inbox.lastWasCompressed } }
  }

  /// Returns an iterator of the messages that were not taken yet.
  @inlinable public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(inbox: inbox) }
}
