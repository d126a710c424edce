/// The client's way to a service: over connections (`RPCTransport`) or in the process.
///
/// Safe to use from any task.
public protocol Channel: Sendable {
  /// Opens an exchange and runs `body` with it on the connection's loop.
  ///
  /// The exchange outlives `body` unless that ends it. The head's `:scheme` and `:authority` are
  /// the channel's to add.
  /// - Throws: `RPCError`, UNAVAILABLE when there is no connection; what `body` throws.
  func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result
}

extension Channel {
  /// Opens a raw exchange, to forward what is not to be decoded.
  public func openExchange(
    _ head: RequestHead, options: ExchangeOptions = ExchangeOptions()
  ) async throws -> ClientExchange {
    try await openExchange(head, options: options) { $0 }
  }
}

/// The response of a call that has one.
public struct ClientResponse<Message: WireMessage>: Sendable {
  public let message: Message
  public let headers: Metadata
  public let trailers: Metadata
  /// Whether the server had compressed the message.
  public let wasCompressed: Bool

  package init(
    message: Message, headers: Metadata, trailers: Metadata, wasCompressed: Bool = false
  ) {
    self.wasCompressed = wasCompressed
    self.message = message
    self.headers = headers
    self.trailers = trailers
  }
}

extension Channel {
  /// Calls a method with one request and one response.
  /// - Throws: `RPCError`.
  public func unary<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, _ request: Input, options: CallOptions = CallOptions()
  ) async throws -> ClientResponse<Output> {
    let plan = CallPlan(method, options)
    let framed = try plan.frame(request)
    for attempt in 1... {
      let outcome = try await openExchange(plan.head, options: plan.exchangeOptions) {
        exchange -> UnaryOutcome<Output> in
        exchange.exchange.sendBody(framed)
        exchange.exchange.sendEnd(.none)
        return await exchange.collect(Output.self)
      }
      switch outcome {
      case .response(let response): return response
      case .failed(let error): throw error
      case .unprocessed(let error):
        // Transparent retry: the server never saw it.
        if attempt == CallPlan.attemptsMax { throw error }
      }
    }
    throw RPCError(.internalError, "unreachable: attempts are bounded")
  }

  /// Calls a method with one request and a stream of responses.
  /// - Throws: `RPCError`.
  public func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, _ request: Input, options: CallOptions = CallOptions()
  ) async throws -> ResponseStream<Output> {
    let plan = CallPlan(method, options)
    let framed = try plan.frame(request)
    return try await openExchange(plan.head, options: plan.exchangeOptions) { exchange in
      exchange.exchange.sendBody(framed)
      exchange.exchange.sendEnd(.none)
      return ResponseStream(call: ClientCall(exchange, compression: plan.compression))
    }
  }

  /// Calls a method with a stream of requests and one response.
  /// - Throws: `RPCError`.
  public func clientStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, options: CallOptions = CallOptions()
  ) async throws -> ClientStreamingCall<Input, Output> {
    let plan = CallPlan(method, options)
    return try await openExchange(plan.head, options: plan.exchangeOptions) { exchange in
      ClientStreamingCall(call: ClientCall(exchange, compression: plan.compression))
    }
  }

  /// Calls a method with streams both ways.
  /// - Throws: `RPCError`.
  public func bidirectionalStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, options: CallOptions = CallOptions()
  ) async throws -> BidirectionalCall<Input, Output> {
    let plan = CallPlan(method, options)
    return try await openExchange(plan.head, options: plan.exchangeOptions) { exchange in
      BidirectionalCall(call: ClientCall(exchange, compression: plan.compression))
    }
  }
}

/// What a call's options come to on the wire.
struct CallPlan {
  /// Attempts of a call that no server has seen.
  static let attemptsMax = 3

  let head: RequestHead
  let exchangeOptions: ExchangeOptions
  let compression: MessageEncoding?

  init(_ method: MethodDescriptor, _ options: CallOptions) {
    let deadline = options.effectiveDeadline
    head = RequestHead(
      path: method.path, metadata: options.metadata, timeout: deadline?.remaining,
      compression: options.compression,
      acceptsCompression: options.acceptsCompression || options.compression != nil)
    compression = options.compression
    var exchangeOptions = ExchangeOptions(
      deadline: deadline, waitForReady: options.waitForReady)
    exchangeOptions.messageBytesMax = options.messageBytesMax
    self.exchangeOptions = exchangeOptions
  }

  /// Encodes the one request.
  func frame(_ request: some WireMessage) throws -> [UInt8] {
    let framed = try MessageFramer.frame(request)
    return try compression?.compress(framed: framed) ?? framed
  }
}
