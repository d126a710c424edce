import GRPCTesting
import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

@Suite("Calls without a task", .timeLimit(.minutes(2)))
struct DirectCallTests {
  private static let options = TestCaller.partner.options

  @Test("a stream ends when its service is gone, also where its caller was slow to read")
  func serviceGone() async throws {
    let probe = EchoProbe()
    let backend = try InProcessChannel(services: [EchoService(probe)])
    let edge = try TestGateway(backend).edge()
    let client = TestServiceClient(edge)
    var request = StreamingOutputCallRequest()
    var parameters = ResponseParameters()
    parameters.size = 32 << 10
    request.responseParameters = Array(repeating: parameters, count: 100)
    let call = try await edge.openExchange(
      RequestHead(
        path: "/grpc.testing.TestService/StreamingOutputCall", metadata: TestCaller.partner.metadata
      ))
    try await call.send(MessageFramer.frame(request))
    await call.finish()
    // What the caller does not read fills its own side, and then the service's.
    await probe.sent.reaches(6)
    for _ in 0..<200 { _ = try await client.unaryCall(SimpleRequest(), options: Self.options) }
    #expect(probe.sent.value < 100)
    await backend.disconnect()
    #expect(try await call.outcome()?.code == .unavailable)
  }

  /// A backend without a connection on any loop of its callers, as while one is being made.
  private struct Elsewhere: LoopChannel {
    let backend: InProcessChannel
    /// Whether heads came with a memo: on the caller's loop, and on another.
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

  @Test("what is kept with a head for one loop does not go to a connection of another")
  func memoStays() async throws {
    let backend = try InProcessChannel(services: [EchoService()])
    let elsewhere = Elsewhere(backend: backend)
    let client = TestServiceClient(try TestGateway(elsewhere).edge())
    _ = try await client.unaryCall(SimpleRequest(), options: Self.options)
    #expect(elsewhere.here.value == [true], "it is kept for calls on the caller's loop")
    #expect(elsewhere.there.value == [false])
  }
}
