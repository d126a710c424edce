/// The messages that a server streams, for one consumer on any task. Releasing it cancels the call.
///
/// Ends if the status is OK, and throws any other status.
public struct ResponseStream<Message: WireMessage>: AsyncSequence, Sendable {
  public typealias Element = Message

  let call: ClientCall

  public struct AsyncIterator: AsyncIteratorProtocol {
    let call: ClientCall

    public mutating func next() async throws -> Message? {
      try await call.nextResponse(Message.self)
    }
  }

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
