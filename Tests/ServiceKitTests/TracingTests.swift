import GRPCHealthV1
import RPC
import RPCInProcess
import ServiceKit
import Synchronization
import Testing
import Tracing

@Suite("Tracing")
struct TracingTests {
  private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

  @Test("a traceparent is parsed and written unchanged")
  func roundTrip() throws {
    let trace = try #require(TraceContext(parent: Self.parent, state: "a=1,b=2"))
    #expect(trace.traceID.description == "0af7651916cd43dd8448eb211c80319c")
    #expect(trace.spanID == 0xb7ad_6b71_6920_3331)
    #expect(trace.isSampled)
    #expect(trace.state == "a=1,b=2")
    #expect(trace.parent == Self.parent)
  }

  @Test(
    "an invalid traceparent starts a new trace",
    arguments: [
      "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
      "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    ])
  func malformed(_ text: String) { #expect(TraceContext(parent: text, state: nil) == nil) }

  @Test("a later version may have more fields; a too long tracestate is dropped")
  func leniency() throws {
    let later = "01" + Self.parent.dropFirst(2) + "-more"
    #expect(TraceContext(parent: later, state: nil) != nil)
    let long = String(repeating: "a", count: 513)
    #expect(TraceContext(parent: Self.parent, state: long)?.state == "")
    #expect(TraceContext(parent: Self.parent, state: "a=\u{e9}")?.state == "")
  }

  /// Records the spans that ended.
  private final class Spans: SpanSink {
    private let list = Mutex<[FinishedSpan]>([])
    var all: [FinishedSpan] { list.withLock { $0 } }
    func ended(_ span: FinishedSpan) { list.withLock { $0.append(span) } }
  }

  /// Responds with the trace that is current in the handler.
  private struct Inner: HealthProtocol {
    let seen: @Sendable (TraceContext?) -> Void

    func check(
      _ request: HealthCheckRequest, context: ServerContext
    ) async throws -> HealthCheckResponse {
      seen(TraceContext.current)
      if !request.service.isEmpty { throw RPCError(.notFound, "unknown service") }
      return HealthCheckResponse()
    }
  }

  @Test("a trace continues from a caller through its client call into the handler")
  func propagation() async throws {
    let spans = Spans()
    let tracer = ServiceTracer(sink: spans)
    let box = Box()
    let channel = try InProcessChannel(
      services: [Inner { trace in box.set(trace) }], interceptors: [ServerTracing(tracer: tracer)]
    ).with(ChannelPolicy(interceptors: [ClientTracing(tracer: tracer)]))
    let client = HealthClient(channel)
    var root = InstrumentationContext.topLevel
    tracer.extract([Self.parent], into: &root, using: First())
    _ = try await InstrumentationContext.withValue(root) {
      try await client.check(HealthCheckRequest())
    }
    let trace = try #require(box.value)
    #expect(trace.traceID.description == "0af7651916cd43dd8448eb211c80319c")
    let server = try #require(spans.all.first { $0.kind == .server })
    let caller = try #require(spans.all.first { $0.kind == .client })
    #expect(caller.parentID == 0xb7ad_6b71_6920_3331)
    #expect(server.parentID == caller.context.spanID)
    #expect(trace.spanID == server.context.spanID)
    #expect(server.name == "grpc.health.v1.Health/Check")
    #expect(server.attributes.get("rpc.system") == .string("grpc"))
    #expect(server.attributes.get("rpc.service") == .string("grpc.health.v1.Health"))
    #expect(server.attributes.get("rpc.method") == .string("Check"))
    #expect(server.attributes.get("rpc.grpc.status_code") == .int64(0))
    #expect(server.status == nil)
  }

  @Test("a failure is an error of the client's span, and of the server's only if it is at fault")
  func failures() async throws {
    let spans = Spans()
    let tracer = ServiceTracer(sink: spans)
    let channel = try InProcessChannel(
      services: [Inner { _ in }], interceptors: [ServerTracing(tracer: tracer)]
    ).with(ChannelPolicy(interceptors: [ClientTracing(tracer: tracer)]))
    var request = HealthCheckRequest()
    request.service = "nobody"
    await #expect(throws: RPCError.self) { try await HealthClient(channel).check(request) }
    let server = try #require(spans.all.first { $0.kind == .server })
    let caller = try #require(spans.all.first { $0.kind == .client })
    #expect(server.attributes.get("rpc.grpc.status_code") == .int64(5))
    #expect(server.status == nil)
    #expect(caller.status?.code == .error)
    #expect(server.context.traceID == caller.context.traceID)
  }

  @Test("without a sink nothing is recorded, but the trace is propagated")
  func unrecorded() async throws {
    let tracer = ServiceTracer()
    let span = tracer.startSpan("a", context: .topLevel)
    span.addEvent("x")
    span.end()
    #expect(!span.isRecording)
    #expect(TraceContext.of(span.context) != nil)
  }
}

/// What a handler received.
private final class Box: Sendable {
  private let state = Mutex<TraceContext?>(nil)

  var value: TraceContext? { state.withLock { $0 } }
  func set(_ trace: TraceContext?) { state.withLock { $0 = trace } }
}

/// Extracts a traceparent from a list with one entry.
private struct First: Extractor {
  func extract(key: String, from carrier: [String]) -> String? {
    key == "traceparent" ? carrier.first : nil
  }
}
