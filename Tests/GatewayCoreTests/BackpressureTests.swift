import GRPCTesting
import RPC
import RPCInProcess
import TestWaiting
import Testing

@testable import GatewayCore

@Suite("Bounded memory", .bothWays)
struct BackpressureTests {
  private static let messageBytes = 32 << 10
  private static let messages = 200
  /// Windows and queues of both links, in messages: far fewer than the sender would send.
  private static let inFlightMax = 40

  @Test("a caller that does not read holds the service back")
  func slowReader() async throws {
    try await TestGateway.withEcho { client, probe, _ in
      var request = StreamingOutputCallRequest()
      request.responseParameters = (0..<Self.messages).map { _ in
        var parameters = ResponseParameters()
        parameters.size = Int32(Self.messageBytes)
        return parameters
      }
      let stream = try await client.streamingOutputCall(
        request, options: TestCaller.partner.options)
      await probe.sent.reaches(1)
      // Other calls run on the same loops meanwhile, so there is every opportunity to forward more.
      for _ in 0..<200 {
        _ = try await client.unaryCall(SimpleRequest(), options: TestCaller.partner.options)
      }
      #expect(probe.sent.value <= Self.inFlightMax)
      var bytes = 0
      for try await response in stream { bytes += response.payload?.body.count ?? 0 }
      #expect(bytes == Self.messages * Self.messageBytes)
    }
  }

  @Test("a service that does not read holds the caller back")
  func slowService() async throws {
    try await TestGateway.withEcho { client, probe, _ in
      var options = TestCaller.partner.options
      options.metadata.add("x-hang", "yes")
      let call = try await client.streamingInputCall(options: options)
      let sent = Counter()
      let sender = Task {
        var request = StreamingInputCallRequest()
        var payload = Payload()
        payload.body = [UInt8](repeating: 1, count: Self.messageBytes)
        request.payload = payload
        for _ in 0..<Self.messages {
          try await call.send(request)
          sent.add()
        }
      }
      await sent.reaches(1)
      for _ in 0..<200 {
        _ = try await client.unaryCall(SimpleRequest(), options: TestCaller.partner.options)
      }
      #expect(sent.value <= Self.inFlightMax)
      call.cancel()
      await probe.cancelled.reaches(1)
      await #expect(throws: (any Error).self) { try await sender.value }
    }
  }

  @Test("a caller that does not read is reset some time after its deadline")
  func overdue() async throws {
    try await TestGateway.withEcho { _, probe, edge in
      var request = StreamingOutputCallRequest()
      request.responseParameters = (0..<Self.messages).map { _ in
        var parameters = ResponseParameters()
        parameters.size = Int32(Self.messageBytes)
        return parameters
      }
      let framed = try MessageFramer.frame(request)
      // The caller sends its timeout, but neither reads nor enforces it.
      let head = RequestHead(
        path: "/grpc.testing.TestService/StreamingOutputCall",
        metadata: TestCaller.partner.metadata, timeout: .seconds(2))
      let exchange = try await edge.openExchange(head, options: ExchangeOptions()) { exchange in
        exchange.exchange.sendBody(framed)
        exchange.exchange.sendEnd(.none)
        return exchange
      }
      try await eventually { await edge.runningHandlers == 0 }
      #expect(probe.sent.value >= 1)
      await exchange.reset()
      #expect(probe.sent.value <= Self.inFlightMax)
    }
  }
}
