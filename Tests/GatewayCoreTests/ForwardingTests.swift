import GRPCTesting
import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

@Suite("Forwarding", .bothWays)
struct ForwardingTests {
  private static func payload(_ count: Int) -> Payload {
    var payload = Payload()
    payload.body = [UInt8](repeating: 42, count: count)
    return payload
  }

  @Test("a unary call is forwarded with metadata, initial metadata and trailers")
  func unary() async throws {
    try await TestGateway.withEcho { _, probe, edge in
      var options = TestCaller.partner.options
      options.metadata.add("x-own", "mine")
      options.metadata.add("x-own-bin", [0, 1, 254])
      var request = SimpleRequest()
      request.payload = Self.payload(1_000)
      let response: ClientResponse<SimpleResponse> = try await edge.unary(
        TestServiceMethods.unaryCall, request, options: options)
      #expect(response.message.payload == request.payload)
      #expect(response.headers[text: "x-head"] == "of the service")
      #expect(response.trailers[binary: "x-tail-bin"] == [0, 255, 1])
      #expect(probe.metadata.value[text: "x-own"] == "mine")
      #expect(probe.metadata.value[binary: "x-own-bin"] == [0, 1, 254])
    }
  }

  @Test("a service's error is forwarded unchanged: code, message, details, trailing metadata")
  func failure() async throws {
    try await TestGateway.withEcho { client, _, _ in
      var request = SimpleRequest()
      var status = EchoStatus()
      status.code = 9
      status.message = "不行：no % way"
      request.responseStatus = status
      let error = await #expect(throws: RPCError.self) {
        try await client.unaryCall(request, options: TestCaller.partner.options)
      }
      #expect(error?.code == .failedPrecondition)
      #expect(error?.message == "不行：no % way")
      #expect(error?.details == [8, 3])
      #expect(error?.metadata[text: "x-error"] == "detail")
    }
  }

  @Test("a response stream is forwarded completely and in order")
  func serverStreaming() async throws {
    try await TestGateway.withEcho { client, _, _ in
      var request = StreamingOutputCallRequest()
      let sizes = [0, 1, 70_000, 5, 1 << 20, 3]
      request.responseParameters = sizes.map { size in
        var parameters = ResponseParameters()
        parameters.size = Int32(size)
        return parameters
      }
      var got: [Int] = []
      let stream = try await client.streamingOutputCall(
        request, options: TestCaller.partner.options)
      for try await response in stream { got.append(response.payload?.body.count ?? -1) }
      #expect(got == sizes)
    }
  }

  @Test("a request stream is forwarded completely")
  func clientStreaming() async throws {
    try await TestGateway.withEcho { client, probe, _ in
      let call = try await client.streamingInputCall(options: TestCaller.partner.options)
      for size in [0, 1, 100_000, 3_000_000] {
        var request = StreamingInputCallRequest()
        request.payload = Self.payload(size)
        try await call.send(request)
      }
      #expect(try await call.finish().message.aggregatedPayloadSize == 3_100_001)
      #expect(probe.received.value == 4)
    }
  }

  @Test("both directions stream concurrently")
  func bidirectional() async throws {
    try await TestGateway.withEcho { client, _, _ in
      let call = try await client.fullDuplexCall(options: TestCaller.partner.options)
      var responses = call.responses.makeAsyncIterator()
      for size in [1, 2, 300_000, 4] {
        var request = StreamingOutputCallRequest()
        request.payload = Self.payload(size)
        try await call.send(request)
        #expect(try await responses.next()?.payload?.body.count == size)
      }
      try await call.finishSending()
      #expect(try await responses.next() == nil)
    }
  }

  @Test(
    "a message of the maximum size passes, one byte more is RESOURCE_EXHAUSTED",
    arguments: [false, true])
  func oversize(streams: Bool) async throws {
    try await TestGateway.withEcho(messageBytesMax: 100_000) { client, probe, edge in
      let path = "/grpc.testing.TestService/" + (streams ? "StreamingInputCall" : "UnaryCall")
      for (size, code) in [(100_000, nil), (100_001, RPCError.Code.resourceExhausted)] {
        // A payload of zeros is not a message; the service may refuse it in its own way.
        let exchange = try await edge.openExchange(
          RequestHead(path: path, metadata: TestCaller.partner.metadata))
        var prefix: [UInt8] = [0, 0]
        prefix += [UInt8(size >> 16), UInt8(size >> 8 & 255), UInt8(size & 255)]
        if streams { try await exchange.send([0, 0, 0, 0, 0]) }
        try? await exchange.send(prefix + [UInt8](repeating: 0, count: size))
        await exchange.finish()
        let error = try await exchange.outcome()
        #expect((error?.gatewayReason == "MESSAGE_TOO_LARGE") == (code != nil))
        if let code {
          #expect(error?.code == code)
          #expect(error?.facts["bytes_max"] == "100000")
        }
      }
    }
  }

  @Test("compressed messages are forwarded unchanged")
  func compressed() async throws {
    let backend = ChunkBackend()
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let edge = try TestGateway(inner).edge()
    let metadata = TestCaller.partner.metadata
    var fields = RequestHead(path: TestGateway.echoPath, metadata: metadata).fields
    fields.add("grpc-encoding", "snappy")
    fields.add("grpc-accept-encoding", "snappy,gzip")
    let exchange = try await edge.openExchange(RequestHead(fields: fields))
    let body: [UInt8] = [1, 0, 0, 0, 3, 9, 9, 9]
    try await exchange.send(body)
    await exchange.finish()
    let head = try await exchange.head()
    #expect(head["grpc-encoding"] == "snappy")
    var echoed: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { echoed += chunk }
    #expect(echoed == body)
    #expect(backend.head.value?.fields["grpc-encoding"] == "snappy")
    #expect(backend.head.value?.fields["grpc-accept-encoding"] == "snappy,gzip")
  }

  @Test("no trailers of a request reach a service: gRPC has none there")
  func requestTrailers() async throws {
    let backend = ChunkBackend()
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let edge = try TestGateway(inner).edge()
    let forged: HeaderList = [
      "yijia-caller-bin": "Zm9yZ2Vk", "authorization": "Bearer x", "x-api-key": "x", "x-own": "1",
    ]
    for (path, isStream) in [
      (TestGateway.echoPath, true), ("/yijia.members.v1.MembersService/GetMember", false),
    ] {
      let call = try await edge.openExchange(
        RequestHead(path: path, metadata: TestCaller.administrator.metadata))
      try await call.send([0, 0, 0, 0, 0])
      // Behind what was passed on already, the end is a part of its own.
      if isStream { _ = try await call.nextChunk() }
      await call.exchange.onLoop { call.exchange.sendEnd(.fields(forged)) }
      #expect(try await call.outcome() == nil)
    }
    #expect(backend.trailers.value == [nil, nil])
  }

  @Test("a response that is not gRPC is never taken for a success")
  func notGRPC() async throws {
    let answers: [(HeaderList, RPCError.Code)] = [
      ([":status": "502", "content-type": "text/html"], .unavailable),
      ([":status": "200", "content-type": "text/html"], .unknown),
      ([":status": "200", "content-type": "application/grpc"], .unknown),
      // It is the gateway that was refused, not the caller.
      ([":status": "401", "content-type": "text/html"], .internalError),
      ([":status": "403", "content-type": "text/html"], .internalError),
    ]
    for (answer, code) in answers {
      let inner = InProcessChannel(
        Dispatcher(router: try Router(services: []), handlers: [AnyBackend(answer: answer)]))
      let error = try await TestGateway(inner).edge()
        .outcome(TestGateway.echoPath, TestCaller.partner.metadata)
      #expect(error?.gatewayReason == "BACKEND_BROKEN")
      #expect(error?.code == code)
    }
  }

  @Test("a request that is not gRPC is refused with an HTTP status")
  func notForUs() async throws {
    try await TestGateway.withEcho { _, _, edge in
      let get = try await edge.openExchange(
        RequestHead(fields: [":method": "GET", ":path": TestGateway.echoPath]))
      #expect(try await get.head()[":status"] == "415")
      let web = try await edge.openExchange(
        RequestHead(
          fields: [
            ":method": "POST", ":path": TestGateway.echoPath,
            "content-type": "application/grpc-web",
          ]))
      #expect(try await web.head()[":status"] == "415")
    }
  }
}

/// A backend that echoes the body unchanged.
private struct ChunkBackend: ExchangeHandler {
  let head = Shared<RequestHead?>(nil)
  /// Those of each request.
  let trailers = Shared<[HeaderList?]>([])

  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    head.value = exchange.head
    await exchange.sendHead([
      ":status": "200", "content-type": "application/grpc", "grpc-encoding": "snappy",
    ])
    while let chunk = try? await exchange.nextChunk() { try? await exchange.send(chunk) }
    let last = await exchange.trailers()
    trailers.update { $0.append(last) }
    await exchange.finish(trailers: ["grpc-status": "0"])
  }
}
