/// The options of a client for one exchange.
public struct ExchangeOptions: Sendable {
  /// The deadline: when it passes, the exchange is reset and reading throws DEADLINE_EXCEEDED.
  public var deadline: Deadline?
  /// Whether to wait for a connection until the deadline instead of failing when there is none.
  public var waitForReady = false
  /// The traffic class, which channels with ``Balancing/separatesBulk`` regard.
  public var trafficClass = TrafficClass.interactive
  /// The backends of the call's earlier attempts: another one is chosen if there is any, even one
  /// that is ejected. Source: Envoy's retry predicate `previous_hosts`.
  public var previousBackends: [BackendID] = []
  /// The receive limit of a message in bytes; nil for raw chunks.
  package var messageBytesMax: Int?

  /// Creates options for an exchange of raw chunks.
  public init(deadline: Deadline? = nil, waitForReady: Bool = false) {
    self.deadline = deadline
    self.waitForReady = waitForReady
  }
}

/// The traffic class of an exchange. Source: RFC 4594 (service classes), in two.
public enum TrafficClass: Sendable, Hashable, CaseIterable {
  /// A caller waits for each of a few small exchanges.
  case interactive
  /// Many or long exchanges at once, whose throughput matters more than their latency.
  case bulk
}

/// Identifies a backend of a channel, for as long as a call lasts.
public struct BackendID: Sendable, Hashable {
  private let id: ObjectIdentifier

  package init(_ backend: AnyObject) { id = ObjectIdentifier(backend) }
}

/// The client side of a raw exchange. Safe to use from any task, with one reader and one writer.
public struct ClientExchange: Sendable {
  package let exchange: Exchange
  package let inbox: Inbox

  package init(exchange: Exchange, inbox: Inbox) {
    self.exchange = exchange
    self.inbox = inbox
  }

  /// The server at the other end.
  public var peer: Peer { exchange.transport.peer }

  /// The backend that the exchange was opened with; nil in process.
  public var backend: BackendID? { exchange.transport.backend }

  /// Returns the response head, `:status` first; waits for it.
  /// - Throws: `RPCError` if the exchange fails or the task is cancelled.
  public func head() async throws -> HeaderList {
    try await exchange.onLoop { try await inbox.waitForHead() }
  }

  /// Returns the next bytes of the response body, or nil at its end.
  /// - Throws: `RPCError` if the exchange fails or the task is cancelled.
  public func nextChunk() async throws -> [UInt8]? {
    try await exchange.onLoop { try await inbox.nextChunk() }
  }

  /// Returns the response trailers; call it after the end of the body. Nil for a Trailers-Only
  /// response and for a body without trailers.
  public func trailers() async -> HeaderList? {
    await exchange.onLoop { inbox.trailers }
  }

  /// Sends body bytes; suspends while the outbound buffer is full.
  /// - Throws: `RPCError` if the exchange has ended or the task is cancelled.
  public func send(_ chunk: [UInt8]) async throws { try await exchange.send(chunk) }

  /// Half-closes the exchange: ends the request body.
  public func finish() async {
    await exchange.onLoop { exchange.sendEnd(.none) }
  }

  /// Resets the exchange; reading throws from then on.
  public func reset(_ code: ResetCode = .cancel) async {
    await exchange.onLoop { exchange.reset(code) }
  }

  /// Cancels the exchange unless it is closed; its reader gets `error` at once. On its loop.
  package func abandon(_ error: @autoclosure () -> RPCError) {
    guard !exchange.state.isClosed else { return }
    inbox.fail(error())
    exchange.reset(.cancel)
  }

  /// Sets up a new exchange: its inbox and its deadline timer. Call on its loop.
  package static func make(
    _ exchange: Exchange, options: ExchangeOptions
  ) -> ClientExchange {
    let inbox = Inbox(exchange, messageBytesMax: options.messageBytesMax)
    exchange.sink = inbox
    if let deadline = options.deadline {
      inbox.deadline = deadline
      let time = deadline.remaining
      exchange.setTimer(after: time) {
        guard !exchange.state.isClosed, !inbox.hasEnded else { return }
        if inbox.head == nil { exchange.transport.deadlinePassed(after: time) }
        inbox.fail(.deadlinePassed)
        exchange.reset(.cancel)
      }
    }
    return ClientExchange(exchange: exchange, inbox: inbox)
  }
}

extension Inbox {
  /// Waits for the response head and returns it. Call only from a task that prefers the loop.
  package nonisolated(nonsending) func waitForHead() async throws(RPCError) -> HeaderList {
    while true {
      if let head { return head }
      if let failure { throw failure }
      try await wait()
    }
  }

  /// Waits until the peer has ended its side. Call only from a task that prefers the loop.
  /// - Throws: The failure of the exchange.
  package nonisolated(nonsending) func waitForEnd() async throws(RPCError) {
    while !hasEnded {
      if let failure { throw failure }
      try await wait()
    }
    if let failure { throw failure }
  }
}
