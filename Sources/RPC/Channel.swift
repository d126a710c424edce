/// The client's way to a service: over connections (`RPCTransport`) or in the process.
///
/// Safe to use from any task.
public protocol Channel: Sendable {
  /// What is done with every call; nil for a channel that only carries exchanges.
  var policy: ChannelPolicy? { get }

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
  public var policy: ChannelPolicy? { nil }

  /// Opens a raw exchange, to forward what is not to be decoded.
  public func openExchange(
    _ head: RequestHead, options: ExchangeOptions = ExchangeOptions()
  ) async throws -> ClientExchange {
    try await openExchange(head, options: options) { $0 }
  }
}

/// The response of a call that has one.
public struct ClientResponse<Message: WireMessage>: Sendable {
  /// The one message, what came before it and what came with the status.
  public let message: Message
  private let head: HeaderList?
  private let end: HeaderList?
  /// Whether the server had compressed the message.
  public let wasCompressed: Bool

  /// The initial metadata. Made on each use.
  public var headers: Metadata { head.map { Metadata(custom: $0) } ?? [:] }

  /// The trailing metadata. Made on each use.
  public var trailers: Metadata { end.map { Metadata(custom: $0) } ?? [:] }

  init(message: Message, head: HeaderList?, trailers: HeaderList?, wasCompressed: Bool) {
    self.message = message
    self.head = head
    end = trailers
    self.wasCompressed = wasCompressed
  }
}

extension Channel {
  /// Calls a method with one request and one response.
  /// - Throws: `RPCError`.
  public func unary<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, _ request: Input, options: CallOptions = CallOptions()
  ) async throws -> ClientResponse<Output> {
    guard let policy else { return try await unary(CallPlan(method, options), request) }
    return try await policy.unary(self, method, request, options)
  }

  /// Calls a method with one request and a stream of responses.
  /// - Throws: `RPCError`.
  public func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, _ request: Input, options: CallOptions = CallOptions()
  ) async throws -> ResponseStream<Output> {
    ResponseStream(call: try await start(method, options) { try $0.frame(request) })
  }

  /// Calls a method with a stream of requests and one response.
  /// - Throws: `RPCError`.
  public func clientStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, options: CallOptions = CallOptions()
  ) async throws -> ClientStreamingCall<Input, Output> {
    ClientStreamingCall(call: try await start(method, options) { _ in nil })
  }

  /// Calls a method with streams both ways.
  /// - Throws: `RPCError`.
  public func bidirectionalStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, options: CallOptions = CallOptions()
  ) async throws -> BidirectionalCall<Input, Output> {
    BidirectionalCall(call: try await start(method, options) { _ in nil })
  }

  /// Starts a call of a stream; with a request, that is all there is to send.
  private func start(
    _ method: MethodDescriptor, _ options: CallOptions,
    _ request: @escaping @Sendable (CallPlan) throws -> [UInt8]?
  ) async throws -> ClientCall {
    if let policy { return try await policy.start(self, method, options, request) }
    let plan = CallPlan(method, options)
    return try await ClientCall.start(self, plan, request: try request(plan))
  }
}
