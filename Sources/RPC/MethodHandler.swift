/// A method and the code that answers it, with the message types erased.
public struct MethodHandler: Sendable {
  public let descriptor: MethodDescriptor
  let makeCall: @Sendable (ServerCall.Setup) -> ServerCall

  /// One request, one response. The handler starts when the whole request is there.
  public static func unary<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body: @escaping @Sendable (Input, ServerContext) async throws -> Output
  ) -> MethodHandler {
    let erased: UnaryCall.Body = { request, context in
      let input: Input = try MessageFramer.decode(framed: request)
      return try MessageFramer.frame(try await body(input, context))
    }
    return MethodHandler(descriptor: descriptor) { UnaryCall($0, erased) }
  }

  /// A stream of requests, one response.
  public static func clientStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body: @escaping @Sendable (RequestStream<Input>, ServerContext) async throws -> Output
  ) -> MethodHandler {
    let erased: StreamedRequestCall.Body = { call in
      let output = try await body(RequestStream(inbox: call.inbox), call.context)
      call.answer(try MessageFramer.frame(output))
    }
    return MethodHandler(descriptor: descriptor) { StreamedRequestCall($0, erased) }
  }

  /// One request, a stream of responses.
  public static func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      @escaping @Sendable (Input, ResponseWriter<Output>, ServerContext) async throws -> Void
  ) -> MethodHandler {
    let erased: ServerStreamingCall.Body = { request, call in
      let input: Input = try MessageFramer.decode(framed: request)
      try await body(input, ResponseWriter(call: call), call.context)
    }
    return MethodHandler(descriptor: descriptor) { ServerStreamingCall($0, erased) }
  }

  /// Streams both ways. The handler starts at once.
  public static func bidirectionalStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      @escaping @Sendable (RequestStream<Input>, ResponseWriter<Output>, ServerContext)
      async throws -> Void
  ) -> MethodHandler {
    let erased: StreamedRequestCall.Body = { call in
      try await body(
        RequestStream(inbox: call.inbox), ResponseWriter(call: call), call.context)
    }
    return MethodHandler(descriptor: descriptor) { StreamedRequestCall($0, erased) }
  }
}
