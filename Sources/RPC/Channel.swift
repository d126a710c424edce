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

/// A channel that may have a connection on a caller's own loop.
package protocol LoopChannel: Channel {
  /// Opens an exchange at once on that loop, if a connection there takes it; else nil. On the loop.
  /// - Throws: `RPCError` where the connection takes no more.
  func openExchange(
    _ head: RequestHead, options: ExchangeOptions, on loop: any ExchangeLoop
  ) throws(RPCError) -> ClientExchange?
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
  @usableFromInline let answer: UnaryAnswer

  /// Whether the server had compressed the message.
  public var wasCompressed: Bool { answer.wasCompressed }

  /// The initial metadata. Made on each use.
  public var headers: Metadata { answer.headers }

  /// The trailing metadata. Made on each use.
  public var trailers: Metadata { answer.trailers }

  @inlinable init(_ answer: UnaryAnswer) throws {
    message = try MessageFramer.decode(framed: answer.framed)
    self.answer = answer
  }

  /// Calls a method with one request and one response: what ``Channel/unary(_:_:options:)`` does,
  /// for generated code, in a form that is compiled for its message types.
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

/// A response of one message, which is still bytes.
///
/// A call's types are known where it is called, so that is where messages are encoded and decoded:
/// what lies between is not generic and looks up no metadata.
@usableFromInline
struct UnaryAnswer: Sendable {
  /// The message behind its prefix.
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

  /// - Parameter take: gets the response, and throws when it cannot be decoded.
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
