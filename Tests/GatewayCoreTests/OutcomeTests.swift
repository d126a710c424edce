import GRPCTesting
import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

/// The caller never gets a wrong status.
@Suite("Outcome truth", .bothWays)
struct OutcomeTests {
  private static let hang: Metadata = {
    var metadata = TestCaller.partner.metadata
    metadata.add("x-hang", "yes")
    return metadata
  }()

  @Test("the deadline is enforced when a service hangs, and its stream is reset")
  func deadline() async throws {
    var backend = AnyBackend()
    backend.hangs = true
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    // The caller sends its timeout and does not enforce it itself.
    let error = try await TestGateway(inner).edge()
      .outcome(TestGateway.echoPath, TestCaller.partner.metadata, timeout: .milliseconds(100))
    #expect(error?.code == .deadlineExceeded)
    #expect(error?.gatewayReason == "DEADLINE_EXCEEDED")
    await backend.cancelled.reaches(1)
  }

  @Test("a service gets the remaining deadline less 10 % or 20 ms")
  func shaved() async throws {
    try await TestGateway.withEcho { client, probe, _ in
      for (timeout, most) in [
        (Duration.seconds(10), Duration.milliseconds(9_980)),
        (.milliseconds(100), .milliseconds(90)),
      ] {
        var options = TestCaller.partner.options
        options.timeout = timeout
        _ = try await client.unaryCall(SimpleRequest(), options: options)
        let left = try #require(probe.timeout.value)
        #expect(left <= most)
        #expect(left > .zero)
      }
      _ = try await client.unaryCall(SimpleRequest(), options: TestCaller.partner.options)
      #expect(probe.timeout.value == nil, "without a deadline there is none inwards")
    }
  }

  @Test("a service that resets a call at its own, earlier deadline is DEADLINE_EXCEEDED")
  func resetAtDeadline() async throws {
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [PunctualBackend()]))
    let error = try await TestGateway(inner).edge()
      .outcome(TestGateway.echoPath, TestCaller.partner.metadata, timeout: .milliseconds(500))
    #expect(error?.code == .deadlineExceeded)
    #expect(error?.gatewayReason == "DEADLINE_EXCEEDED")
  }

  @Test("a canceled call is DEADLINE_EXCEEDED only where the service's deadline may have passed")
  func canceled() {
    let canceled = RPCError(.cancelled, "the stream was reset")
    for (deadline, failure) in [
      (.after(.milliseconds(10)), .deadlineExceeded), (.after(.seconds(-1)), .deadlineExceeded),
      (.after(.seconds(3_600)), .backendBroken(service: "x", .cancelled)),
      (nil, .backendBroken(service: "x", .cancelled)),
    ] as [(Deadline?, GatewayFailure)] {
      #expect(AnswerReading(service: "x", deadline: deadline).failure(of: canceled) == failure)
    }
  }

  @Test("a deadline that has passed and a malformed one are answered at once")
  func oddDeadlines() async throws {
    try await TestGateway.withEcho { _, _, edge in
      let late = try await edge.outcome(
        TestGateway.echoPath, Self.hang, timeout: .nanoseconds(1))
      #expect(late?.code == .deadlineExceeded)
      var fields = RequestHead(path: TestGateway.echoPath, metadata: Self.hang).fields
      fields.add("grpc-timeout", "soon")
      let exchange = try await edge.openExchange(RequestHead(fields: fields))
      await exchange.finish()
      #expect(try await exchange.outcome()?.gatewayReason == "TIMEOUT_MALFORMED")
    }
  }

  @Test("a caller that cancels cancels the service's handler")
  func callerGivesUp() async throws {
    try await TestGateway.withEcho { client, probe, edge in
      let exchange = try await edge.openExchange(
        RequestHead(path: TestGateway.echoPath, metadata: Self.hang))
      try await exchange.send([0, 0, 0, 0, 0])
      await exchange.finish()
      await probe.calls.reaches(1)
      await exchange.reset(.cancel)
      await probe.cancelled.reaches(1)

      let call = try await client.fullDuplexCall(options: TestCaller.partner.options)
      try await call.send(StreamingOutputCallRequest())
      await probe.calls.reaches(2)
      call.cancel()
      await probe.cancelled.reaches(2)
    }
  }

  @Test("a lost connection cancels all calls of its caller")
  func callerLost() async throws {
    try await TestGateway.withEcho { _, probe, edge in
      for _ in 0..<5 {
        let exchange = try await edge.openExchange(
          RequestHead(path: TestGateway.echoPath, metadata: Self.hang))
        try await exchange.send([0, 0, 0, 0, 0])
        await exchange.finish()
      }
      await probe.calls.reaches(5)
      await edge.disconnect()
      await probe.cancelled.reaches(5)
    }
  }

  @Test("an unreachable service is UNAVAILABLE, with RetryInfo and both languages")
  func unreachable() async throws {
    let edge = try TestGateway(DeadChannel()).edge()
    for (language, locale) in [("en", "en"), ("zh-CN", "zh-CN"), ("fr, en;q=0.5", "en")] {
      var metadata = TestCaller.partner.metadata
      metadata.add("accept-language", language)
      let error = try #require(try await edge.outcome(TestGateway.echoPath, metadata))
      #expect(error.code == .unavailable)
      #expect(error.gatewayReason == "BACKEND_UNAVAILABLE")
      #expect(error.facts == ["service": "testing"])
      #expect(error.retrySeconds == 1)
      #expect(error.localized?.locale == locale)
      #expect(error.localized?.text.isEmpty == false)
    }
  }

  @Test("a service lost while it streams is UNAVAILABLE in the trailers")
  func lostMidStream() async throws {
    let probe = EchoProbe()
    let inner = try InProcessChannel(services: [EchoService(probe)])
    let client = TestServiceClient(try TestGateway(inner).edge())
    var request = StreamingOutputCallRequest()
    var parameters = ResponseParameters()
    parameters.size = 10
    request.responseParameters = [parameters]
    var options = CallOptions()
    options.metadata = Self.hang
    let stream = try await client.streamingOutputCall(request, options: options)
    var responses = stream.makeAsyncIterator()
    #expect(try await responses.next()?.payload?.body.count == 10)
    await inner.disconnect()
    let error = await #expect(throws: RPCError.self) { _ = try await responses.next() }
    #expect(error?.code == .unavailable)
    #expect(error?.gatewayReason == "BACKEND_LOST")
  }

  @Test("a service that resets a call is reported by its code, not as a success")
  func reset() async throws {
    let backend = ResettingBackend()
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let error = try await TestGateway(inner).edge()
      .outcome(TestGateway.echoPath, TestCaller.partner.metadata)
    #expect(error?.code == .resourceExhausted)
    #expect(error?.gatewayReason == "BACKEND_BROKEN")
  }

  @Test("a service that finds the gateway's connection insecure does not refuse the caller")
  func insecure() async throws {
    let backend = ResettingBackend(code: .inadequateSecurity)
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let error = try await TestGateway(inner).edge()
      .outcome(TestGateway.echoPath, TestCaller.partner.metadata)
    #expect(error?.code == .internalError)
    #expect(error?.gatewayReason == "BACKEND_BROKEN")
  }
}

/// A backend that answers nothing and cancels each call when its deadline passes.
private struct PunctualBackend: ExchangeHandler {
  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    // Time itself is meant.
    try? await Task.sleep(for: exchange.head.timeout ?? .zero)
    await exchange.reset(.cancel)
  }
}

/// A channel without a connection.
struct DeadChannel: Channel {
  func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    throw RPCError(.unavailable, "there is no connection")
  }
}
