/// The effective settings of one call: its options merged with its channel's policy and service
/// config.
struct CallPlan: Sendable {
  /// The default receive limit in bytes: gRPC's usual default.
  static let messageBytesMax = 4 << 20
  /// The default size of the retry buffer, in bytes of the request. Source: gRPC core's default per
  /// call.
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

  /// Returns a framed request message as it is sent: compressed, if the options say so.
  /// - Throws: RESOURCE_EXHAUSTED if the message is larger than the limit.
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

  /// Returns the request head of an attempt that follows `previous` others.
  private func head(_ metadata: Metadata, previous: Int) -> RequestHead {
    // Most calls add nothing but a timeout: these share one head per method.
    if metadata.isEmpty, !acceptsCompression, previous == 0 {
      return deadline.map { method.head.adding(timeout: $0.remaining) } ?? method.head
    }
    return RequestHead(
      path: method.path, metadata: metadata, timeout: deadline?.remaining, compression: compression,
      acceptsCompression: acceptsCompression, previousAttempts: previous)
  }

  /// Opens the exchange of an attempt and runs `body` with it on its loop.
  /// - Parameter backends: The backends of earlier attempts.
  func open<Result: Sendable>(
    _ channel: any Channel, attempt: Int = 1, previous: Int = 0, after backends: [BackendID] = [],
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    var options = exchangeOptions
    options.previousBackends = backends
    guard let observer else {
      return try await channel.openExchange(
        head(metadata, previous: previous), options: options, body)
    }
    var metadata = metadata
    observer.attemptStarted(attempt, metadata: &metadata)
    var isOpen = false
    do {
      return try await channel.openExchange(
        head(metadata, previous: previous), options: options
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
  /// - Throws: `RPCError` if the deadline passes first or the task is cancelled.
  nonisolated(nonsending) func pause(_ wait: Duration) async throws {
    let isLate = deadline.map { $0.remaining < wait } ?? false
    do {
      // The wait itself is wanted: gRFC A6's backoff, or the server's pushback.
      try await Task.sleep(for: isLate ? deadline?.remaining ?? .zero : wait)
    } catch {
      throw RPCError(.cancelled, "the call was cancelled")
    }
    if isLate { throw RPCError(.deadlineExceeded, "the deadline passed between two attempts") }
  }

  /// Turns a local UNAVAILABLE into DEADLINE_EXCEEDED once the deadline has passed: a busy machine
  /// may notice a lost or refused connection before its deadline timer fires.
  func dated(_ failure: AttemptFailure) -> AttemptFailure {
    guard !failure.error.isRemote, failure.error.code == .unavailable,
      deadline?.hasPassed == true
    else { return failure }
    return AttemptFailure(.deadlinePassed)
  }

  /// Applies a failed attempt to the state machine, and takes a token from the retry throttle if
  /// the failure costs one.
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
  /// Calls `told` once, with the outcome of the attempt, when the exchange is closed. Call on its
  /// loop.
  func onEnd(_ told: @escaping @Sendable (AttemptOutcome) -> Void) {
    inbox.onClosed = { [inbox, exchange] _ in
      told(
        AttemptOutcome(
          error: inbox.endedWith, sentBytes: exchange.sentMessageBytes,
          receivedBytes: inbox.receivedMessageBytes))
    }
  }
}
