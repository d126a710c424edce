/// A running call of a client. Letting go of the last reference cancels it.
final class ClientCall: Sendable {
  let exchange: ClientExchange
  /// How messages are compressed that are sent.
  private let compression: MessageEncoding?

  init(_ exchange: ClientExchange, compression: MessageEncoding? = nil) {
    self.exchange = exchange
    self.compression = compression
  }

  deinit { cancel() }

  /// Resets the exchange, if it still is.
  func cancel() {
    let exchange = exchange.exchange
    let inbox = self.exchange.inbox
    exchange.loop.execute {
      guard !exchange.state.isClosed else { return }
      inbox.fail(RPCError(.cancelled, "the call was cancelled"))
      exchange.reset(.cancel)
    }
  }

  /// Sends a message of a stream of requests.
  func send(_ message: some WireMessage, compressed: Bool) async throws {
    var framed = try MessageFramer.frame(message)
    if compressed, let compression { framed = try compression.compress(framed: framed) }
    do {
      try await exchange.exchange.send(framed)
    } catch {
      // The server may have ended the call: then its status is the better reason.
      if let known = await exchange.exchange.onLoop({ exchange.inbox.endedWith }) { throw known }
      throw error
    }
  }

  func nextResponse<Message: WireMessage>(_: Message.Type) async throws -> Message? {
    let exchange = exchange
    return try await exchange.exchange.onLoop {
      do {
        try await exchange.checkHead()
        if let message = try await exchange.inbox.nextMessage(Message.self) { return message }
      } catch {
        exchange.exchange.reset(.cancel)
        throw error
      }
      if let error = StatusFields.outcome(
        head: exchange.inbox.head, trailers: exchange.inbox.trailers)
      {
        throw error
      }
      return nil
    }
  }
}

extension Inbox {
  /// The status that ended the exchange, if something did.
  var endedWith: RPCError? {
    if let failure { return failure }
    return hasEnded ? StatusFields.outcome(head: head, trailers: trailers) : nil
  }
}

/// How a call with one response ended.
enum UnaryOutcome<Message: WireMessage>: Sendable {
  case response(ClientResponse<Message>)
  case failed(RPCError)
  /// The server never saw the call.
  case unprocessed(RPCError)
}

extension ClientExchange {
  /// Waits for the head and refuses one that is not gRPC's. On the loop.
  func checkHead() async throws(RPCError) {
    let head = try await inbox.waitForHead()
    if let error = StatusFields.refusal(ofHead: head) { throw error }
  }

  /// Takes a whole response of one message. On the loop.
  func collect<Message: WireMessage>(_: Message.Type) async -> UnaryOutcome<Message> {
    do {
      try await checkHead()
      try await inbox.waitForEnd()
      if let error = StatusFields.outcome(head: inbox.head, trailers: inbox.trailers) {
        throw error
      }
      guard let message = try inbox.takeMessage(Message.self) else {
        throw RPCError(.internalError, "the response has no message")
      }
      guard inbox.isAtEnd else {
        throw RPCError(.internalError, "the response has more than one message")
      }
      return .response(
        ClientResponse(
          message: message, headers: inbox.head.map { Metadata(custom: $0) } ?? [:],
          trailers: inbox.trailers.map { Metadata(custom: $0) } ?? [:],
          wasCompressed: inbox.lastWasCompressed))
    } catch {
      exchange.reset(.cancel)
      let error = error as? RPCError ?? RPCError(.internalError, "\(error)")
      return inbox.closeReason == .unprocessed ? .unprocessed(error) : .failed(error)
    }
  }
}
