import GRPCTesting
import RPC
import RPCInProcess
import ServiceKit
import TestWaiting
import Testing

@testable import GatewayCore

@Suite("Spans of calls")
struct CallTracingTests {
  private final class Spans: SpanSink {
    let all = Shared<[FinishedSpan]>([])

    func ended(_ span: FinishedSpan) { all.update { $0.append(span) } }
  }

  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
  private static let signIn = "/yijia.gateway.v1.SessionsService/SignIn"

  /// Returns the spans of one call.
  private func spans(
    _ path: String = TestGateway.echoPath, as caller: TestCaller, flags: String?, share: Double
  ) async throws -> [FinishedSpan] {
    let spans = Spans()
    let world = try TestGateway(
      InProcessChannel(services: [EchoService(EchoProbe())]),
      tracing: CallTracing(into: spans, share: share))
    var metadata = caller.metadata
    if let flags { metadata.add("traceparent", "00-\(Self.trace)-00f067aa0ba902b7-\(flags)") }
    _ = try await world.edge().outcome(path, metadata)
    // The line is written after the span has ended.
    try await eventually { !world.lines.value.isEmpty }
    return spans.all.value
  }

  @Test("the sampled flag counts for authenticated callers only")
  func flags() async throws {
    let own = try await spans(as: .partner, flags: "01", share: 0)
    #expect(own.map { "\($0.context.traceID)" } == [Self.trace])
    #expect(try await spans(as: .partner, flags: "00", share: 1).isEmpty)
    #expect(try await spans(as: .nobody, flags: "01", share: 0).isEmpty)
    #expect(try await spans(Self.signIn, as: .partner, flags: "01", share: 0).isEmpty)
    // Authenticated, and refused by the policy.
    let refused = "/yijia.members.v1.MembersService/GetMember"
    #expect(try await spans(refused, as: .partner, flags: "01", share: 0).count == 1)
  }

  @Test("of all others the gateway's own share is sampled, within the caller's trace")
  func share() async throws {
    let foreign = try await spans(as: .nobody, flags: "01", share: 1)
    #expect(foreign.map { "\($0.context.traceID)" } == [Self.trace])
    #expect(try await spans(as: .partner, flags: nil, share: 1).count == 1)
    #expect(try await spans(as: .partner, flags: nil, share: 0).isEmpty)
  }
}
