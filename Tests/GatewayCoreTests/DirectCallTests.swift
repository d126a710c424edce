import GRPCTesting
import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

@Suite("Calls without a task", .timeLimit(.minutes(2)))
struct DirectCallTests {
  private static let options = TestCaller.partner.options

  @Test("a stream ends when its service is gone, even if its caller reads slowly")
  func serviceGone() async throws {
    let probe = EchoProbe()
    let backend = try InProcessChannel(services: [EchoService(probe)])
    let edge = try TestGateway(backend).edge()
    let client = TestServiceClient(edge)
    // Unread data fill the caller's side, while the last message waits at the service's: when that
    // is forwarded later it fills nothing, so no event reports free space again.
    var request = StreamingOutputCallRequest()
    request.responseParameters = ([32, 32, 32, 32, 1] as [Int32]).map { kilobytes in
      var parameters = ResponseParameters()
      parameters.size = kilobytes << 10
      return parameters
    }
    var metadata = TestCaller.partner.metadata
    metadata.add("x-hang", "yes")
    let call = try await edge.openExchange(
      RequestHead(path: "/grpc.testing.TestService/StreamingOutputCall", metadata: metadata))
    try await call.send(MessageFramer.frame(request))
    await call.finish()
    await probe.sent.reaches(5)
    // The same loop has had every opportunity to forward more.
    for _ in 0..<200 { _ = try await client.unaryCall(SimpleRequest(), options: Self.options) }
    await backend.disconnect()
    #expect(try await call.outcome()?.code == .unavailable)
  }

  /// A backend without a connection on the callers' loops, as while one is being opened.
  private struct Elsewhere: LoopChannel {
    let backend: InProcessChannel
    /// Whether heads had a memo: on the caller's loop, and on another.
    let here = Shared<[Bool]>([])
    let there = Shared<[Bool]>([])

    func openExchange(
      _ head: RequestHead, options: ExchangeOptions, on loop: any ExchangeLoop
    ) throws(RPCError) -> ClientExchange? {
      here.update { $0.append(head.memo != nil) }
      return nil
    }

    func openExchange<Result: Sendable>(
      _ head: RequestHead, options: ExchangeOptions,
      _ body: (ClientExchange) async throws -> Result
    ) async throws -> Result {
      there.update { $0.append(head.memo != nil) }
      return try await backend.openExchange(head, options: options, body)
    }
  }

  @Test("the memo of a head is not passed to a connection on another loop")
  func memoStays() async throws {
    let backend = try InProcessChannel(services: [EchoService()])
    let elsewhere = Elsewhere(backend: backend)
    let client = TestServiceClient(try TestGateway(elsewhere).edge())
    _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    #expect(elsewhere.here.value == [true], "it is kept for calls on the caller's loop")
    #expect(elsewhere.there.value == [false])
  }
}
