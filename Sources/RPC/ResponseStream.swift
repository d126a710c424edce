/// The messages that a server streams, for one consumer on any task. Releasing it cancels the call.
///
/// Ends if the status is OK, and throws any other status.
public struct ResponseStream<Message: WireMessage>: AsyncSequence, Sendable {
  /// The type of the response messages.
  public typealias Element = Message

  let call: ClientCall

  /// Takes the messages one by one. For one task at a time; all iterators of a stream share its
  /// messages.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let call: ClientCall

    /// Waits for the next message; nil at the end of a call whose status is OK.
    /// - Throws: `RPCError`: the status that ended the call. A cancelled task cancels the call.
    public mutating func next() async throws -> Message? {
      try await call.nextResponse(Message.self)
    }
  }

  /// Returns an iterator of the messages that were not taken yet.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(call: call) }

  /// The initial metadata; suspends until it has arrived.
  public var headers: Metadata {
    get async throws {
      let exchange = try await call.settled()
      return try await exchange.exchange.onLoop {
        let head = try await exchange.inbox.waitForHead()
        return exchange.inbox.isTrailersOnly ? [:] : Metadata(custom: head)
      }
    }
  }

  /// The trailing metadata; suspends until the end of the stream, so read the messages first.
  public var trailers: Metadata {
    get async throws {
      let exchange = try await call.settled()
      return try await exchange.exchange.onLoop {
        let inbox = exchange.inbox
        try await inbox.waitForEnd()
        let last = inbox.isTrailersOnly ? inbox.head : inbox.trailers
        return last.map { Metadata(custom: $0) } ?? [:]
      }
    }
  }

  /// Whether the last message taken was compressed by the server.
  public var lastWasCompressed: Bool {
    get async {
      guard let exchange = try? await call.settled() else { return false }
      return await exchange.exchange.onLoop { exchange.inbox.lastWasCompressed }
    }
  }

  /// Cancels the call. Safe to call from any task.
  public func cancel() { call.cancel() }
}
