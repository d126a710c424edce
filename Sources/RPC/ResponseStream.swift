/// The messages a server streams; for one consumer, from any task. Dropping it cancels the call.
///
/// Ends when the server ended with OK; throws its status otherwise.
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

  /// The initial metadata; waits for it.
  public var headers: Metadata {
    get async throws {
      let exchange = try await call.settled()
      return try await exchange.exchange.onLoop {
        let head = try await exchange.inbox.waitForHead()
        return exchange.inbox.isTrailersOnly ? [:] : Metadata(custom: head)
      }
    }
  }

  /// The trailing metadata; waits for the end, so read the messages first.
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

  /// Whether the server had compressed the message that was taken last.
  public var lastWasCompressed: Bool {
    get async {
      guard let exchange = try? await call.settled() else { return false }
      return await exchange.exchange.onLoop { exchange.inbox.lastWasCompressed }
    }
  }

  /// Gives the call up. From any task.
  public func cancel() { call.cancel() }
}
