/// A method and its handler, with the message types erased.
public struct MethodHandler: Sendable {
  /// The handled method.
  public let descriptor: MethodDescriptor
  let makeCall: @Sendable (ServerCall.Setup) -> ServerCall
  /// The metrics of its calls; nil without a metrics backend.
  var meters: CallMeters?

  /// Creates the handler of a unary method. It is called when the whole request has arrived.
  @inlinable public static func unary<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      nonisolated(nonsending) @escaping @Sendable (Input, ServerContext) async throws -> Output
  ) -> MethodHandler {
    let erased: UnaryCall.Body = { request, context in
      let input: Input =
        request.count > MessageFramer.largeBytes
        ? try await context.decode(large: request)
        : try MessageFramer.decode(framed: request)
      return try MessageFramer.frame(try await body(input, context))
    }
    return MethodHandler(descriptor, unary: erased)
  }

  /// Creates the handler of a method with a stream of requests and one response. It is called at
  /// once.
  @inlinable public static func clientStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      nonisolated(nonsending) @escaping @Sendable (RequestStream<Input>, ServerContext) async throws
      -> Output
  ) -> MethodHandler {
    let erased: StreamedRequestCall.Body = { call in
      let output = try await body(RequestStream(inbox: call.inbox), call.context)
      call.answer(try MessageFramer.frame(output))
    }
    return MethodHandler(descriptor, streamedRequest: erased)
  }

  /// Creates the handler of a method with one request and a stream of responses. It is called when
  /// the whole request has arrived.
  @inlinable public static func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      nonisolated(nonsending) @escaping @Sendable (Input, ResponseWriter<Output>, ServerContext)
      async throws -> Void
  ) -> MethodHandler {
    let erased: ServerStreamingCall.Body = { request, call in
      let input: Input =
        request.count > MessageFramer.largeBytes
        ? try await call.context.decode(large: request)
        : try MessageFramer.decode(framed: request)
      try await body(input, ResponseWriter(call: call), call.context)
    }
    return MethodHandler(descriptor, serverStreaming: erased)
  }

  /// Creates the handler of a method with streams in both directions. It is called at once.
  @inlinable public static func bidirectionalStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      nonisolated(nonsending) @escaping @Sendable (
        RequestStream<Input>, ResponseWriter<Output>, ServerContext
      )
      async throws -> Void
  ) -> MethodHandler {
    let erased: StreamedRequestCall.Body = { call in
      try await body(
        RequestStream(inbox: call.inbox), ResponseWriter(call: call), call.context)
    }
    return MethodHandler(descriptor, streamedRequest: erased)
  }

  // The functions above are inlined so that these closures are created where the message types are
  // known, and a call looks up no generic metadata.

  @usableFromInline
  init(_ descriptor: MethodDescriptor, unary body: @escaping UnaryCall.Body) {
    self.descriptor = descriptor
    makeCall = { UnaryCall($0, body) }
  }

  @usableFromInline
  init(_ descriptor: MethodDescriptor, serverStreaming body: @escaping ServerStreamingCall.Body) {
    self.descriptor = descriptor
    makeCall = { ServerStreamingCall($0, body) }
  }

  @usableFromInline
  init(_ descriptor: MethodDescriptor, streamedRequest body: @escaping StreamedRequestCall.Body) {
    self.descriptor = descriptor
    makeCall = { StreamedRequestCall($0, body) }
  }
}
