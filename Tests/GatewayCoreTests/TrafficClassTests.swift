import GRPCTesting
import RPC
import RPCTransport
import TestWaiting
import Testing

@testable import GatewayCore

/// Which calls share a connection to a service.
@Suite("Traffic classes", .bothWays, .timeLimit(.minutes(1)))
struct TrafficClassTests {
  /// A call of a client that makes a few at once.
  private static let light = TestCaller.partner.options

  /// Runs with one event loop, so that connections differ by class only.
  private func withGateway(
    _ body: (_ gateway: HostPort, Loopback, EchoProbe) async throws -> Void
  ) async throws {
    let loopback = Loopback(loops: EventLoops(threads: 1))
    let probe = EchoProbe()
    let (_, backend) = try await loopback.serve(services: [EchoService(probe)])
    let channel = try await loopback.gateway(
      to: [backend], idempotentMethods: ["UnaryCall"])
    try await body(channel.configuration.targets[0], loopback, probe)
  }

  /// Makes a small call; returns the address that the service was called from.
  private func address(
    _ client: TestServiceClient, _ probe: EchoProbe, bytes: Int = 0
  ) async throws -> String {
    var request = SimpleRequest()
    var payload = Payload()
    payload.body = [UInt8](repeating: 1, count: bytes)
    request.payload = payload
    _ = try await client.unaryCall(request, options: Self.light)
    return probe.address.value
  }

  @Test("the calls of a client with many at once do not share others' connection")
  func manyCalls() async throws {
    try await withGateway { gateway, loopback, probe in
      let light = TestServiceClient(try loopback.connect([gateway]))
      let busy = TestServiceClient(try loopback.connect([gateway]))
      let interactive = try await address(light, probe)
      #expect(try await address(busy, probe) == interactive)
      let streams = try await withThrowingTaskGroup(
        of: BidirectionalCall<StreamingOutputCallRequest, StreamingOutputCallResponse>.self
      ) { group in
        for _ in 0..<5 {
          group.addTask { try await busy.fullDuplexCall(options: Self.light) }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      // Until there is a connection for bulk, it goes with the others.
      try await eventually { try await address(busy, probe) != interactive }
      #expect(try await address(light, probe) == interactive)
      let bulk = try await address(busy, probe)
      for stream in streams { stream.cancel() }
      // Once it had no call, a client begins anew.
      try await eventually { try await address(busy, probe) == interactive }
      #expect(bulk != interactive)
    }
  }

  @Test("a long request does not share others' connection")
  func longRequest() async throws {
    try await withGateway { gateway, loopback, probe in
      let client = TestServiceClient(try loopback.connect([gateway]))
      let interactive = try await address(client, probe)
      try await eventually {
        try await address(client, probe, bytes: 200 << 10) != interactive
      }
      #expect(try await address(client, probe) == interactive)
    }
  }
}
