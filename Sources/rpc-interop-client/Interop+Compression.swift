import GRPCTesting
import RPC

// The test cases with compressed messages.
extension Interop {
  private static var packed: CallOptions {
    var options = CallOptions()
    options.compression = .gzip
    return options
  }

  private static func flag(_ value: Bool) -> BoolValue {
    var flag = BoolValue()
    flag.value = value
    return flag
  }

  func compressed(_ test: TestCase, _ channel: any RPC.Channel) async throws {
    let client = TestServiceClient(channel)
    switch test {
    case .clientCompressedUnary: try await clientCompressedUnary(client)
    case .serverCompressedUnary: try await serverCompressedUnary(channel)
    case .clientCompressedStreaming: try await clientCompressedStreaming(client)
    default: try await serverCompressedStreaming(client)
    }
  }

  private func clientCompressedUnary(_ client: TestServiceClient) async throws {
    var request = Self.largeRequest
    request.expectCompressed = Self.flag(true)
    // The probe: a server with support for it must refuse the false claim.
    try await expectFailure(.invalidArgument) { _ = try await client.unaryCall(request) }
    let response = try await client.unaryCall(request, options: Self.packed)
    try expectPayload(response.payload, Self.responseBytes)
    request.expectCompressed = Self.flag(false)
    try expectPayload(try await client.unaryCall(request).payload, Self.responseBytes)
  }

  private func serverCompressedUnary(_ channel: any RPC.Channel) async throws {
    var options = CallOptions()
    options.acceptsCompression = true
    for isCompressed in [true, false] {
      var request = Self.largeRequest
      request.responseCompressed = Self.flag(isCompressed)
      let response: ClientResponse<SimpleResponse> = try await channel.unary(
        TestServiceMethods.unaryCall, request, options: options)
      try expect("compression of the response", response.wasCompressed, is: isCompressed)
      try expectPayload(response.message.payload, Self.responseBytes)
    }
  }

  private func clientCompressedStreaming(_ client: TestServiceClient) async throws {
    var first = Self.input(27182)
    first.expectCompressed = Self.flag(true)
    let probe = try await client.streamingInputCall(options: Self.packed)
    try await expectFailure(.invalidArgument) {
      try await probe.send(first, compressed: false)
      _ = try await probe.finish()
    }
    let call = try await client.streamingInputCall(options: Self.packed)
    try await call.send(first)
    var second = Self.input(45904)
    second.expectCompressed = Self.flag(false)
    try await call.send(second, compressed: false)
    let response = try await call.finish().message
    try expect("the sum of the sizes", response.aggregatedPayloadSize, is: 73086)
  }

  private func serverCompressedStreaming(_ client: TestServiceClient) async throws {
    var options = CallOptions()
    options.acceptsCompression = true
    let sizes: [Int32] = [31415, 92653]
    var request = Self.output(sizes)
    for index in sizes.indices {
      request.responseParameters[index].compressed = Self.flag(index == 0)
    }
    let stream = try await client.streamingOutputCall(request, options: options)
    var index = 0
    for try await response in stream {
      guard index < sizes.count else { throw Failed("there are too many responses") }
      try expect("compression of a response", await stream.lastWasCompressed, is: index == 0)
      try expectPayload(response.payload, sizes[index])
      index += 1
    }
    try expect("the number of responses", index, is: sizes.count)
  }
}
