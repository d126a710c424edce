/// What a client says when it opens an exchange.
public struct ExchangeOptions: Sendable {
  /// When it passes, the exchange is reset and reading throws DEADLINE_EXCEEDED.
  public var deadline: Deadline?
  /// Wait for a connection until the deadline instead of failing when there is none.
  public var waitForReady = false
  /// The receive limit of messages; nil for raw chunks.
  package var messageBytesMax: Int?

  public init(deadline: Deadline? = nil, waitForReady: Bool = false) {
    self.deadline = deadline
    self.waitForReady = waitForReady
  }
}

/// The client's side of a raw exchange. Safe to use from any task; one reader, one writer.
public struct ClientExchange: Sendable {
  package let exchange: Exchange
  package let inbox: Inbox

  package init(exchange: Exchange, inbox: Inbox) {
    self.exchange = exchange
    self.inbox = inbox
  }

  /// The server at the other end.
  public var peer: Peer { exchange.transport.peer }

  /// The response head, `:status` first; waits for it.
  /// - Throws: `RPCError` when there will be none or the task is cancelled.
  public func head() async throws -> HeaderList {
    try await exchange.onLoop { try await inbox.waitForHead() }
  }

  /// The next bytes of the response's body, or nil at its end.
  /// - Throws: `RPCError` when the exchange failed or the task is cancelled.
  public func nextChunk() async throws -> [UInt8]? {
    try await exchange.onLoop { try await inbox.nextChunk() }
  }

  /// The response's trailers, after the end; nil when the head was all (Trailers-Only) or the body
  /// ended without.
  public func trailers() async -> HeaderList? {
    await exchange.onLoop { inbox.trailers }
  }

  /// Sends body bytes; suspends while the outbound buffer is full.
  /// - Throws: `RPCError` when the exchange has ended or the task is cancelled.
  public func send(_ chunk: [UInt8]) async throws { try await exchange.send(chunk) }

  /// Ends the request's body.
  public func finish() async {
    await exchange.onLoop { exchange.sendEnd(.none) }
  }

  /// Gives the exchange up; reading throws from then on.
  public func reset(_ code: ResetCode = .cancel) async {
    await exchange.onLoop { exchange.reset(code) }
  }

  /// Whether the server certainly never saw the request, so that it may be sent again elsewhere.
  public func wasUnprocessed() async -> Bool {
    await exchange.onLoop { inbox.closeReason == .unprocessed }
  }

  /// Sets up a new exchange. On its loop.
  package static func make(
    _ exchange: Exchange, options: ExchangeOptions
  ) -> ClientExchange {
    let inbox = Inbox(exchange, messageBytesMax: options.messageBytesMax)
    exchange.sink = inbox
    if let deadline = options.deadline {
      let time = deadline.remaining
      exchange.setTimer(after: time) {
        guard !exchange.state.isClosed, !inbox.hasEnded else { return }
        if inbox.head == nil { exchange.transport.deadlinePassed(after: time) }
        inbox.fail(RPCError(.deadlineExceeded, "the deadline has passed"))
        exchange.reset(.cancel)
      }
    }
    return ClientExchange(exchange: exchange, inbox: inbox)
  }
}

extension Inbox {
  /// The response head. Only from a task that prefers the loop.
  package nonisolated(nonsending) func waitForHead() async throws(RPCError) -> HeaderList {
    while true {
      if let head { return head }
      if let failure { throw failure }
      try await wait()
    }
  }

  /// Waits until the peer has ended, or the exchange has failed.
  package nonisolated(nonsending) func waitForEnd() async throws(RPCError) {
    while !hasEnded {
      if let failure { throw failure }
      try await wait()
    }
    if let failure { throw failure }
  }
}
