/// What a call's options come to, together with what its channel says.
struct CallPlan: Sendable {
  /// The receive limit: gRPC's usual default.
  static let messageBytesMax = 4 << 20
  /// What a call keeps of its request to send it again; gRPC core's default a call.
  static let retryBytesMax = 256 << 10

  private let method: MethodDescriptor
  private let metadata: Metadata
  let exchangeOptions: ExchangeOptions
  let compression: MessageEncoding?
  private let acceptsCompression: Bool
  private let requestBytesMax: Int?
  let execution: MethodConfig.Execution
  let throttle: RetryThrottle?
  let retryBytesMax: Int
  let observer: (any ClientCallObserver)?

  init(_ method: MethodDescriptor, _ options: CallOptions) {
    self.init(method, options, policy: nil, config: nil)
  }

  init(
    _ method: MethodDescriptor, _ options: CallOptions, policy: ChannelPolicy?,
    config: MethodConfig?
  ) {
    self.method = method
    metadata = options.metadata
    compression = options.compression
    acceptsCompression = options.acceptsCompression || options.compression != nil
    requestBytesMax = Self.smaller(options.requestBytesMax, config?.requestBytesMax)
    execution = config?.execution ?? .once
    throttle = policy?.throttle
    retryBytesMax = policy?.retryBytesMax ?? Self.retryBytesMax
    observer = policy?.observer?.callStarted(method)
    var deadline = options.deadline
    if let timeout = Self.smaller(options.timeout, config?.timeout) {
      let own = Deadline.after(timeout)
      deadline = deadline.map { min($0, own) } ?? own
    }
    var exchangeOptions = ExchangeOptions(
      deadline: deadline, waitForReady: options.waitForReady ?? config?.waitForReady ?? false)
    exchangeOptions.messageBytesMax =
      Self.smaller(options.messageBytesMax, config?.responseBytesMax) ?? Self.messageBytesMax
    self.exchangeOptions = exchangeOptions
  }

  private static func smaller<Value: Comparable>(_ a: Value?, _ b: Value?) -> Value? {
    guard let a else { return b }
    return b.map { min(a, $0) } ?? a
  }

  var deadline: Deadline? { exchangeOptions.deadline }

  /// A request behind its prefix as it is sent.
  func pack(_ framed: [UInt8], compressed: Bool = true) throws(RPCError) -> [UInt8] {
    if let requestBytesMax, framed.count - MessageFramer.prefixBytes > requestBytesMax {
      throw RPCError(
        .resourceExhausted,
        "a message of \(framed.count - MessageFramer.prefixBytes) bytes is larger than "
          + "\(requestBytesMax)")
    }
    guard compressed, let compression else { return framed }
    return try compression.compress(framed: framed)
  }

  /// The head of an attempt that so many went before.
  private func head(_ metadata: Metadata, previous: Int) -> RequestHead {
    // Most calls say nothing of their own: then the head is made once a method.
    if metadata.isEmpty, !acceptsCompression, previous == 0 {
      return deadline.map { method.head.adding(timeout: $0.remaining) } ?? method.head
    }
    return RequestHead(
      path: method.path, metadata: metadata, timeout: deadline?.remaining, compression: compression,
      acceptsCompression: acceptsCompression, previousAttempts: previous)
  }

  /// Opens the exchange of an attempt and runs `body` with it on its loop.
  func open<Result: Sendable>(
    _ channel: any Channel, attempt: Int = 1, previous: Int = 0,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    guard let observer else {
      return try await channel.openExchange(
        head(metadata, previous: previous), options: exchangeOptions, body)
    }
    var metadata = metadata
    observer.attemptStarted(attempt, metadata: &metadata)
    var isOpen = false
    do {
      return try await channel.openExchange(
        head(metadata, previous: previous), options: exchangeOptions
      ) { client in
        isOpen = true
        client.onEnd { observer.attemptEnded(attempt, $0) }
        return try await body(client)
      }
    } catch {
      if !isOpen {
        let error = error as? RPCError ?? RPCError(.cancelled, "\(error)")
        observer.attemptEnded(
          attempt, AttemptOutcome(error: error, sentBytes: 0, receivedBytes: 0))
      }
      throw error
    }
  }

  /// Waits before the next attempt.
  /// - Throws: `RPCError` when the deadline passes first, or the task is cancelled.
  nonisolated(nonsending) func pause(_ wait: Duration) async throws {
    let isLate = deadline.map { $0.remaining < wait } ?? false
    do {
      // The time itself is awaited: gRFC A6's backoff, or a server's wish.
      try await Task.sleep(for: isLate ? deadline?.remaining ?? .zero : wait)
    } catch {
      throw RPCError(.cancelled, "the call was cancelled")
    }
    if isLate { throw RPCError(.deadlineExceeded, "the deadline passed between two attempts") }
  }

  /// A failure on our side once the deadline has passed is the deadline's, whichever was seen
  /// first: a busy machine sees a lost connection or a refused one before its timer.
  func dated(_ failure: AttemptFailure) -> AttemptFailure {
    guard !failure.error.isRemote, failure.error.code == .unavailable,
      deadline?.hasPassed == true
    else { return failure }
    return AttemptFailure(RPCError(.deadlineExceeded, "the deadline has passed"))
  }

  /// What a failure means for the next attempt; takes its token.
  func apply(_ failure: AttemptFailure, of attempt: Int, to state: inout AttemptState)
    -> AttemptState.Action
  {
    if state.costsToken(failure) { throttle?.failed() }
    return state.apply(
      .failed(
        attempt, failure, isThrottled: throttle?.isOpen == false,
        random: .random(in: 0..<1)))
  }
}

extension ClientExchange {
  /// Tells once when the exchange is gone. On its loop.
  func onEnd(_ told: @escaping @Sendable (AttemptOutcome) -> Void) {
    inbox.onClosed = { [inbox, exchange] _ in
      told(
        AttemptOutcome(
          error: inbox.endedWith, sentBytes: exchange.sentMessageBytes,
          receivedBytes: inbox.receivedMessageBytes))
    }
  }
}
