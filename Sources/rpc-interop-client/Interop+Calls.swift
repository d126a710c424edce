import GRPCTesting
import RPC
import RPCTransport

// The basic test cases.
extension Interop {
  private static let inputSizes = [27182, 8, 1828, 45904]
  private static let outputSizes: [Int32] = [31415, 9, 2653, 58979]

  func clientStreaming(_ client: TestServiceClient) async throws {
    let call = try await client.streamingInputCall()
    for size in Self.inputSizes { try await call.send(Self.input(size)) }
    let response = try await call.finish().message
    try expect("the sum of the sizes", response.aggregatedPayloadSize, is: 74922)
  }

  func serverStreaming(_ client: TestServiceClient) async throws {
    var sizes = Self.outputSizes[...]
    for try await response in try await client.streamingOutputCall(Self.output(Self.outputSizes)) {
      guard let size = sizes.popFirst() else { throw Failed("there are too many responses") }
      try expectPayload(response.payload, size)
    }
    try expect("the number of missing responses", sizes.count, is: 0)
  }

  func pingPong(_ client: TestServiceClient) async throws {
    let call = try await client.fullDuplexCall()
    var responses = call.responses.makeAsyncIterator()
    for (input, output) in zip(Self.inputSizes, Self.outputSizes) {
      try await call.send(Self.output([output], payload: input))
      try expectPayload(try await responses.next()?.payload, output)
    }
    try await call.finishSending()
    guard try await responses.next() == nil else { throw Failed("there are too many responses") }
  }

  func emptyStream(_ client: TestServiceClient) async throws {
    let call = try await client.fullDuplexCall()
    try await call.finishSending()
    for try await _ in call.responses { throw Failed("there is a response") }
  }

  func customMetadata(_ channel: any RPC.Channel) async throws {
    let initial = (name: "x-grpc-test-echo-initial", value: "test_initial_metadata_value")
    let trailing = (name: "x-grpc-test-echo-trailing-bin", value: [UInt8]([0xab, 0xab, 0xab]))
    var options = CallOptions()
    options.metadata.add(initial.name, initial.value)
    options.metadata.add(trailing.name, trailing.value)
    let response: ClientResponse<SimpleResponse> = try await channel.unary(
      TestServiceMethods.unaryCall, Self.largeRequest, options: options)
    try expect("the initial metadata", response.headers[text: initial.name], is: initial.value)
    try expect(
      "the trailing metadata", response.trailers[binary: trailing.name], is: trailing.value)
    let call = try await TestServiceClient(channel).fullDuplexCall(options: options)
    try await call.send(Self.output([Self.responseBytes], payload: Self.requestBytes))
    try await call.finishSending()
    for try await response in call.responses {
      try expectPayload(response.payload, Self.responseBytes)
    }
    try expect(
      "the initial metadata", await call.responses.headers[text: initial.name], is: initial.value)
    try expect(
      "the trailing metadata", await call.responses.trailers[binary: trailing.name],
      is: trailing.value)
  }

  func statusCodeAndMessage(_ client: TestServiceClient) async throws {
    var status = EchoStatus()
    status.code = Int32(RPCError.Code.unknown.rawValue)
    status.message = "test status message"
    try await expectStatus(status, client)
    var request = StreamingOutputCallRequest()
    request.responseStatus = status
    let call = try await client.fullDuplexCall()
    try await call.send(request)
    try await call.finishSending()
    let error = try await expectFailure(.unknown) { for try await _ in call.responses {} }
    try expect("the message", error.message, is: status.message)
  }

  func specialStatusMessage(_ client: TestServiceClient) async throws {
    var status = EchoStatus()
    status.code = Int32(RPCError.Code.unknown.rawValue)
    status.message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    try await expectStatus(status, client)
  }

  private func expectStatus(_ status: EchoStatus, _ client: TestServiceClient) async throws {
    var request = SimpleRequest()
    request.responseStatus = status
    let error = try await expectFailure(.unknown) { _ = try await client.unaryCall(request) }
    try expect("the message", error.message, is: status.message)
  }

  func cancelAfterBegin(_ client: TestServiceClient) async throws {
    let call = try await client.streamingInputCall()
    call.cancel()
    try await expectFailure(.cancelled) { _ = try await call.finish() }
  }

  func cancelAfterFirstResponse(_ client: TestServiceClient) async throws {
    let call = try await client.fullDuplexCall()
    try await call.send(Self.output([31415], payload: 27182))
    var responses = call.responses.makeAsyncIterator()
    try expectPayload(try await responses.next()?.payload, 31415)
    call.cancel()
    try await expectFailure(.cancelled) { _ = try await responses.next() }
  }

  func timeoutOnSleepingServer(_ client: TestServiceClient) async throws {
    var options = CallOptions()
    options.timeout = .milliseconds(1)
    try await expectFailure(.deadlineExceeded) {
      let call = try await client.fullDuplexCall(options: options)
      try await call.send(Self.output([], payload: 27182))
      for try await _ in call.responses {}
    }
  }

  func channelSoak() async throws {
    for _ in 0..<soakIterations {
      try await withChannel { try await largeUnary(TestServiceClient($0)) }
    }
  }
}
