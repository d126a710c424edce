import Synchronization

/// A running call of a client that has a stream. Letting go of the last reference cancels it.
///
/// What is sent is kept until one attempt is the call: its response has begun, or the request has
/// outgrown what is kept. Until then a failed attempt may be followed by another, which gets all of
/// it again. Attempts are looked after by whoever reads. Safe to use from any task; one reader, one
/// writer.
final class ClientCall: Sendable {
  struct Attempt: Sendable {
    let number: Int
    let exchange: ClientExchange
  }

  struct State: Sendable {
    var attempts: AttemptState
    /// Attempts under way; those that have failed stay until the reader has seen to it.
    var live: [Attempt] = []
    /// The attempt that is the call.
    var settled: ClientExchange?
    /// Why there is none.
    var failure: RPCError?
    var kept: [[UInt8]] = []
    var keptBytes = 0
    var isFinished = false
    /// The end was told.
    var isOver = false
    var isRacing = false
    var joined: [CheckedContinuation<Void, Never>] = []
    /// Runs between two attempts.
    var pause: Task<Void, any Error>?

    /// - Returns: the others, which are to be given up.
    mutating func settle(_ exchange: ClientExchange) -> [Attempt] {
      settled = exchange
      kept = []
      defer { live = [] }
      return live.filter { $0.exchange.exchange !== exchange.exchange }
    }
  }

  let channel: any Channel
  let plan: CallPlan
  let state: Mutex<State>
  /// Who hears of the end, if anyone does.
  let end: CallEnd?

  private init(_ channel: any Channel, _ plan: CallPlan, request: [UInt8]?, end: CallEnd?) {
    self.channel = channel
    self.plan = plan
    self.end = end
    var state = State(attempts: AttemptState(plan.execution))
    if let request {
      state.kept = [request]
      state.keptBytes = request.count
      state.isFinished = true
    }
    self.state = Mutex(state)
  }

  deinit { cancel() }

  /// The call is over for its caller; nil is OK.
  /// - Throws: what interceptors make of that.
  private func close(_ error: RPCError?) async throws {
    if plan.observer == nil, end == nil { return }
    tell(error)
    try await end?.told(error)
  }

  private func tell(_ error: RPCError?) {
    if plan.observer == nil, end == nil { return }
    let isFirst = state.withLock { state in
      defer { state.isOver = true }
      return !state.isOver
    }
    if isFirst { plan.observer?.callEnded(error) }
    end?.tell(error)
  }

  /// Begins a call; with a request, that is all there is to send.
  static func start(
    _ channel: any Channel, _ plan: CallPlan, request: [UInt8]?, end: CallEnd? = nil
  ) async throws -> ClientCall {
    let call = ClientCall(channel, plan, request: request, end: end)
    do {
      try await call.launch(1, previous: 0)
    } catch let failure as AttemptFailure {
      try await call.follow(up: failure, of: 1)
      if let error = call.state.withLock({ $0.failure }) { throw error }
    }
    return call
  }

  /// Gives the call up, if it still is.
  func cancel() {
    let error = RPCError(.cancelled, "the call was cancelled")
    let (exchanges, pause) = state.withLock { state in
      if state.settled == nil { state.failure = state.failure ?? error }
      return (state.live.map(\.exchange) + (state.settled.map { [$0] } ?? []), state.pause)
    }
    pause?.cancel()
    for exchange in exchanges { exchange.giveUp(error) }
    tell(error)
  }

  // MARK: - Sending

  /// Sends a message of a stream of requests.
  func send(_ message: some WireMessage, compressed: Bool) async throws {
    let framed = try plan.pack(MessageFramer.frame(message), compressed: compressed)
    if let settled = state.withLock({ $0.settled }) {
      return try await send(framed, to: settled)
    }
    let (exchanges, others) = try state.withLock {
      state throws(RPCError) -> ([ClientExchange], [Attempt]) in
      if let settled = state.settled { return ([settled], []) }
      if let failure = state.failure { throw failure }
      state.kept.append(framed)
      state.keptBytes += framed.count
      let exchanges = state.live.map(\.exchange)
      guard state.keptBytes > plan.retryBytesMax, let first = exchanges.first else {
        return (exchanges, [])
      }
      return ([first], state.settle(first))
    }
    for other in others { other.exchange.giveUp() }
    if exchanges.isEmpty { return try await wait() }
    for exchange in exchanges {
      do {
        try await send(framed, to: exchange)
      } catch {
        // The next attempt gets it with the rest; if there is none, this was the call.
        try await wait()
        let last = state.withLock { $0.settled }
        if last?.exchange === exchange.exchange { throw error }
      }
    }
  }

  private func send(_ framed: [UInt8], to exchange: ClientExchange) async throws {
    do {
      try await exchange.exchange.send(framed)
    } catch {
      // The server may have ended the call: then its status is the better reason.
      if let known = await exchange.exchange.onLoop({ exchange.inbox.endedWith }) { throw known }
      throw error
    }
  }

  /// Ends the stream of requests.
  func finishSending() async {
    let exchanges = state.withLock { state in
      state.isFinished = true
      return state.settled.map { [$0] } ?? state.live.map(\.exchange)
    }
    for exchange in exchanges { await exchange.finish() }
  }

  // MARK: - Receiving

  func nextResponse<Message: WireMessage>(_: Message.Type) async throws -> Message? {
    let message: Message?
    do {
      message = try await read(Message.self)
    } catch {
      try await close(RPCError(ending: error))
      throw error
    }
    if message == nil { try await close(nil) }
    return message
  }

  private func read<Message: WireMessage>(_: Message.Type) async throws -> Message? {
    let client = try await settled()
    return try await client.exchange.onLoop {
      do {
        try await client.checkHead()
        if let message = try await client.inbox.nextMessage(Message.self) { return message }
      } catch {
        client.exchange.reset(.cancel)
        throw error
      }
      if let error = StatusFields.outcome(
        head: client.inbox.head, trailers: client.inbox.trailers)
      {
        throw error
      }
      return nil
    }
  }

  /// Takes a whole response of one message.
  /// - Parameter take: gets it, and throws when it cannot be decoded.
  func collect(_ take: (UnaryAnswer) throws -> Void = { _ in }) async throws -> UnaryAnswer {
    do {
      let client = try await settled()
      let outcome = await client.exchange.onLoop { await client.collect() }
      switch outcome {
      case .response(let answer):
        try take(answer)
        try await close(nil)
        return answer
      case .failed(let failure): throw failure.error
      case .broken(let error): throw error
      }
    } catch {
      try await close(RPCError(ending: error))
      throw error
    }
  }
}

extension ClientExchange {
  /// Ends the exchange from here. From any task.
  func giveUp(_ error: RPCError = RPCError(.cancelled, "another attempt was answered")) {
    exchange.loop.execute { [exchange, inbox] in
      guard !exchange.state.isClosed else { return }
      inbox.fail(error)
      exchange.reset(.cancel)
    }
  }
}
