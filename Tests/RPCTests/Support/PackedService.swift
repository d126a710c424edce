import RPC

/// A service that compresses its messages as requested by the client's metadata: `x-pack: gzip`.
struct PackedService: RPCService {
  static let name = "test.Packed"
  static let unary = MethodDescriptor(service: name, name: "Unary", kind: .unary)
  static let collect = MethodDescriptor(service: name, name: "Collect", kind: .clientStreaming)
  static let `repeat` = MethodDescriptor(service: name, name: "Repeat", kind: .serverStreaming)

  var methods: [MethodHandler] {
    [
      .unary(Self.unary, unary), .clientStreaming(Self.collect, collect),
      .serverStreaming(Self.repeat, repeated),
    ]
  }

  /// Returns whether the request was compressed, and its text.
  @Sendable private func unary(_ request: Text, _ context: ServerContext) async throws -> Text {
    pack(context)
    return Text("\(context.requestWasCompressed) \(request.text)")
  }

  /// Returns for each request whether it was compressed, and its length.
  @Sendable private func collect(
    _ requests: RequestStream<Text>, _ context: ServerContext
  ) async throws -> Text {
    pack(context)
    var all: [String] = []
    for try await request in requests {
      all.append("\(await requests.lastWasCompressed) \(request.text.utf8.count)")
    }
    return Text(all.joined(separator: ","))
  }

  /// Sends the text four times, the odd ones uncompressed.
  @Sendable private func repeated(
    _ request: Text, _ responses: ResponseWriter<Text>, _ context: ServerContext
  ) async throws {
    pack(context)
    for index in 0..<4 {
      try await responses.send(request, compressed: index.isMultiple(of: 2))
    }
  }

  private func pack(_ context: ServerContext) {
    context.responseCompression = context.metadata[text: "x-pack"]
      .flatMap { MessageEncoding(rawValue: $0) }
  }
}
