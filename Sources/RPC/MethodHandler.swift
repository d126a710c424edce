/// A method and the code that answers it, with the message types erased.
public struct MethodHandler: Sendable {
  public let descriptor: MethodDescriptor
  let makeCall: @Sendable (ServerCall.Setup) -> ServerCall

  /// One request, one response. The handler starts when the whole request is there.
  public static func unary<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body: @escaping @Sendable (Input, ServerContext) async throws -> Output
  ) -> MethodHandler {
    MethodHandler(descriptor: descriptor) { UnaryCall($0, body) }
  }

  /// A stream of requests, one response.
  public static func clientStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body: @escaping @Sendable (RequestStream<Input>, ServerContext) async throws -> Output
  ) -> MethodHandler {
    MethodHandler(descriptor: descriptor) { setup in
      StreamedRequestCall<Input>(setup) { call in
        let output = try await body(call.requests, call.context)
        call.answer(try MessageFramer.frame(output))
      }
    }
  }

  /// One request, a stream of responses.
  public static func serverStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      @escaping @Sendable (Input, ResponseWriter<Output>, ServerContext) async throws -> Void
  ) -> MethodHandler {
    MethodHandler(descriptor: descriptor) { ServerStreamingCall($0, body) }
  }

  /// Streams both ways. The handler starts at once.
  public static func bidirectionalStreaming<Input: WireMessage, Output: WireMessage>(
    _ descriptor: MethodDescriptor,
    _ body:
      @escaping @Sendable (RequestStream<Input>, ResponseWriter<Output>, ServerContext)
      async throws -> Void
  ) -> MethodHandler {
    MethodHandler(descriptor: descriptor) { setup in
      StreamedRequestCall<Input>(setup) { call in
        try await body(call.requests, ResponseWriter(call: call), call.context)
      }
    }
  }
}
