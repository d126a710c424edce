import Synchronization

/// A running client call with at least one stream. Releasing the last reference cancels it.
///
/// Sent messages are buffered until the call is committed to one attempt: its response has begun,
/// or the request has outgrown the buffer. Until then, a failed attempt may be followed by another,
/// which gets all of them again. The reader drives the attempts. Safe to use from any task, with
/// one reader and one writer.
final class ClientCall: Sendable {
  struct Attempt: Sendable {
    let number: Int
    let exchange: ClientExchange
  }

  struct State: Sendable {
    var attempts: AttemptState
    /// The running attempts. Failed ones remain until the reader has followed them up.
    var live: [Attempt] = []
    /// The backends of the attempts that were followed up.
    var failedBackends: [BackendID] = []
    /// The attempt that the call is committed to.
    var settled: ClientExchange?
    /// The error of a call that failed without such an attempt.
    var failure: RPCError?
    /// The framed messages that a further attempt gets again.
    var kept: [[UInt8]] = []
    var keptBytes = 0
    /// Whether the request has ended.
    var isFinished = false
    /// Whether the end of the call was reported.
    var isOver = false
    /// Whether a task follows up the attempts.
    var isRacing = false
    /// The tasks that wait for it.
    var joined: [CheckedContinuation<Void, Never>] = []
    /// The wait between two attempts.
    var pause: Task<Void, any Error>?

    /// Commits the call to an attempt and drops the buffered messages.
    /// - Returns: The other attempts, for the caller to cancel.
    mutating func settle(_ exchange: ClientExchange) -> [Attempt] {
      settled = exchange
      kept = []
      defer { live = [] }
      return live.filter { $0.exchange.exchange !== exchange.exchange }
    }

    /// Ends the call without an attempt that it is committed to.
    /// - Returns: The running attempts, for the caller to cancel.
    mutating func fail(_ error: RPCError) -> [Attempt] {
      failure = failure ?? error
      defer { live = [] }
      return live
    }
  }

  let channel: any Channel
  let plan: CallPlan
  let state: Mutex<State>
  /// Receives the end of the call, for interceptors; nil without them.
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

  /// Reports the end of the call to the throttle, the observer and the interceptors; nil is OK.
  /// - Throws: The error that the interceptors make of it.
  private func close(_ error: RPCError?) async throws {
    tell(error)
    try await end?.told(error)
  }

  private func tell(_ error: RPCError?) {
    if plan.throttle == nil, plan.observer == nil, end == nil { return }
    let isFirst = state.withLock { state in
      defer { state.isOver = true }
      return !state.isOver
    }
    if isFirst {
      if error == nil { plan.throttle?.succeeded() }
      plan.observer?.callEnded(error)
    }
    end?.tell(error)
  }

  /// Starts a call; if there is a `request`, it is the only message to send. Reports the end of a
  /// call that cannot start.
  static func start(
    _ channel: any Channel, _ plan: CallPlan, request: [UInt8]?, end: CallEnd? = nil
  ) async throws -> ClientCall {
    let call = ClientCall(channel, plan, request: request, end: end)
    do {
      try await call.begin()
    } catch {
      call.tell(RPCError(ending: error))
      throw error
    }
    return call
  }

  private func begin() async throws {
    do {
      try await launch(1, previous: 0)
    } catch let failure as AttemptFailure {
      try await follow(up: failure, of: 1)
      if let error = state.withLock({ $0.failure }) { throw error }
    }
  }

  /// Cancels the call, unless it has ended.
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

  /// Sends one message of the stream of requests.
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
        // The next attempt gets the message from the buffer; if there is none, the error is the
        // call's.
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
      // If the server has ended the call, its status is the better reason.
      if let known = await exchange.exchange.onLoop({ exchange.inbox.endedWith }) { throw known }
      throw error
    }
  }

  /// Half-closes the call: ends the stream of requests.
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
      if let error = client.inbox.outcome { throw error }
      return nil
    }
  }

  /// Receives the whole response of a call with a single response message.
  /// - Parameter take: Receives the response; throws if it cannot be decoded.
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
  /// Cancels the exchange, whose reader gets `error`. Safe to call from any task.
  func giveUp(_ error: RPCError = RPCError(.cancelled, "another attempt was answered")) {
    exchange.loop.execute { abandon(error) }
  }
}
