/// A method and the code that answers it, with the message types erased.
public struct MethodHandler: Sendable {
  /// The method that is answered.
  public let descriptor: MethodDescriptor
  let makeCall: @Sendable (ServerCall.Setup) -> ServerCall
  /// Where its calls are counted; nil where there are no metrics.
  var meters: CallMeters?

  /// One request, one response. The handler starts when the whole request is there.
  @inlinable public static func unary<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      nonisolated(nonsending) @escaping @Sendable (Input, ServerContext) async throws -> Output
  ) -> MethodHandler {
    let erased: UnaryCall.Body = { request, context in
      let input: Input = try MessageFramer.decode(framed: request)
      return try MessageFramer.frame(try await body(input, context))
    }
    return MethodHandler(descriptor, unary: erased)
  }

  /// A stream of requests, one response.
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

  /// One request, a stream of responses.
  @inlinable public static func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      nonisolated(nonsending) @escaping @Sendable (Input, ResponseWriter<Output>, ServerContext)
      async throws -> Void
  ) -> MethodHandler {
    let erased: ServerStreamingCall.Body = { request, call in
      let input: Input = try MessageFramer.decode(framed: request)
      try await body(input, ResponseWriter(call: call), call.context)
    }
    return MethodHandler(descriptor, serverStreaming: erased)
  }

  /// Streams both ways. The handler starts at once.
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

  // What the functions above are inlined for: the closures are made where the message types are
  // known, so that a call looks up no generic metadata.

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
