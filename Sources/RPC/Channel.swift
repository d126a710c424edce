/// A client's access to a service: over network connections (`RPCTransport`) or in process.
///
/// Safe to use from any task.
public protocol Channel: Sendable {
  /// The interceptors, observer and service config for all calls; nil for a channel that only
  /// carries exchanges.
  var policy: ChannelPolicy? { get }

  /// Opens an exchange and runs `body` with it on the connection's loop.
  ///
  /// The exchange outlives `body` unless that ends it. The channel adds `:scheme` and `:authority`
  /// to the head.
  /// - Throws: `RPCError`, with UNAVAILABLE if there is no connection; whatever `body` throws.
  func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result
}

/// A channel that may have a connection on the caller's own event loop.
package protocol LoopChannel: Channel {
  /// Opens an exchange on `loop` without suspending; nil if no connection there accepts it. Call on
  /// the loop.
  /// - Throws: `RPCError` if the connection's limits are reached.
  func openExchange(
    _ head: RequestHead, options: ExchangeOptions, on loop: any ExchangeLoop
  ) throws(RPCError) -> ClientExchange?
}

extension Channel {
  /// No policy.
  public var policy: ChannelPolicy? { nil }

  /// Opens a raw exchange, for forwarding without decoding.
  public func openExchange(
    _ head: RequestHead, options: ExchangeOptions = ExchangeOptions()
  ) async throws -> ClientExchange {
    try await openExchange(head, options: options) { $0 }
  }
}

/// The response of a call that has a single response message.
public struct ClientResponse<Message: WireMessage>: Sendable {
  /// The response message.
  public let message: Message
  @usableFromInline let answer: UnaryAnswer

  /// Whether the server compressed the message.
  public var wasCompressed: Bool { answer.wasCompressed }

  /// The initial metadata. Built on each access.
  public var headers: Metadata { answer.headers }

  /// The trailing metadata. Built on each access.
  public var trailers: Metadata { answer.trailers }

  @inlinable init(_ answer: UnaryAnswer) throws {
    message = try MessageFramer.decode(framed: answer.framed)
    self.answer = answer
  }

  /// Makes a unary call: ``Channel/unary(_:_:options:)`` for generated code, in a form that is
  /// specialized for its message types.
  /// - Throws: `RPCError`.
  @inlinable public init<Input: WireMessage>(
    of method: MethodDescriptor, on channel: any Channel, _ request: Input, options: CallOptions
  ) async throws {
    var response: ClientResponse<Message>?
    try await channel.unary(method, MessageFramer.frame(request), options) {
      response = try ClientResponse($0)
    }
    guard let taken = response.take() else {
      throw RPCError(.internalError, "the response was not taken")
    }
    self = taken
  }
}

/// A response with a single message, still encoded.
///
/// Messages are encoded and decoded at the call site, where their types are known: the layers in
/// between are not generic and look up no type metadata.
@usableFromInline
struct UnaryAnswer: Sendable {
  /// The message with its prefix.
  @usableFromInline let framed: [UInt8]
  let head: HeaderList?
  let end: HeaderList?
  let wasCompressed: Bool

  var headers: Metadata { head.map { Metadata(custom: $0) } ?? [:] }
  var trailers: Metadata { end.map { Metadata(custom: $0) } ?? [:] }
}

extension Channel {
  /// Calls a method with one request and one response.
  /// - Throws: `RPCError`.
  @inlinable public func unary<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, _ request: Input, options: CallOptions = CallOptions()
  ) async throws -> ClientResponse<Output> {
    try await ClientResponse(of: method, on: self, request, options: options)
  }

  /// Makes a unary call with an encoded request.
  /// - Parameter take: Receives the response; throws if it cannot be decoded.
  @usableFromInline func unary(
    _ method: MethodDescriptor, _ request: [UInt8], _ options: CallOptions,
    _ take: (UnaryAnswer) throws -> Void
  ) async throws {
    guard let policy else {
      return try take(try await unary(CallPlan(method, options), request))
    }
    try await policy.unary(self, method, request, options, take)
  }

  /// Calls a method with one request and a stream of responses.
  /// - Throws: `RPCError`.
  public func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, _ request: Input, options: CallOptions = CallOptions()
  ) async throws -> ResponseStream<Output> {
    let call = try await start(method, options) { try $0.pack(MessageFramer.frame(request)) }
    return ResponseStream(call: call)
  }

  /// Calls a method with a stream of requests and one response.
  /// - Throws: `RPCError`.
  public func clientStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, options: CallOptions = CallOptions()
  ) async throws -> ClientStreamingCall<Input, Output> {
    ClientStreamingCall(call: try await start(method, options) { _ in nil })
  }

  /// Calls a method with streams in both directions.
  /// - Throws: `RPCError`.
  public func bidirectionalStreaming<Input: WireMessage, Output: WireMessage>(
    _ method: MethodDescriptor, options: CallOptions = CallOptions()
  ) async throws -> BidirectionalCall<Input, Output> {
    BidirectionalCall(call: try await start(method, options) { _ in nil })
  }

  /// Starts a streaming call. If `request` returns a message, it is the only one of the request.
  private func start(
    _ method: MethodDescriptor, _ options: CallOptions,
    _ request: @escaping @Sendable (CallPlan) throws -> [UInt8]?
  ) async throws -> ClientCall {
    if let policy { return try await policy.start(self, method, options, request) }
    let plan = CallPlan(method, options)
    return try await ClientCall.start(self, plan, request: try request(plan))
  }
}
