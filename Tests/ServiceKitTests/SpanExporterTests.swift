import Logging
import OTLPTraceV1
import RPC
import RPCInProcess
import ServiceKit
import Synchronization
import Testing
import Tracing

@Suite("Spans to a collector")
struct SpanExporterTests {
  /// Records the spans it gets; the first requests are answered with UNAVAILABLE.
  final class Collector: TraceServiceProtocol, Sendable {
    let requests = Mutex<[ExportTraceServiceRequest]>([])
    let failures: Atomic<Int>
    let (arrivals, arrival) = AsyncStream<Void>.makeStream()

    init(failures: Int = 0) { self.failures = Atomic(failures) }

    var spans: [OTLPTraceV1.Span] {
      requests.withLock { $0.flatMap(\.resourceSpans).flatMap(\.scopeSpans).flatMap(\.spans) }
    }

    func export(
      _ request: ExportTraceServiceRequest, context: ServerContext
    ) async throws -> ExportTraceServiceResponse {
      defer { arrival.yield() }
      guard failures.subtract(1, ordering: .relaxed).oldValue <= 0 else {
        throw RPCError(.unavailable, "not now")
      }
      requests.withLock { $0.append(request) }
      return ExportTraceServiceResponse()
    }
  }

  private func exporter(
    _ collector: Collector, _ change: (inout SpanExporter.Settings) -> Void = { _ in }
  ) throws -> SpanExporter {
    var settings = SpanExporter.Settings()
    change(&settings)
    return SpanExporter(
      service: "test", channel: try InProcessChannel(services: [collector]), settings: settings,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  private func makeSpans(_ count: Int, into sink: SpanExporter) {
    let tracer = ServiceTracer(sink: sink)
    for index in 0..<count {
      let span = tracer.startSpan("span \(index)", context: .topLevel, ofKind: .server)
      span.attributes["number"] = index
      span.attributes["text"] = "a"
      span.setStatus(SpanStatus(code: .error, message: "wrong"))
      span.end()
    }
  }

  @Test("a full batch is sent at once, the rest when the exporter stops, in OTLP format")
  func batches() async throws {
    let collector = Collector()
    let exporter = try exporter(collector) { $0.batchMax = 4 }
    makeSpans(6, into: exporter)
    let run = Task { await exporter.run() }
    var arrivals = collector.arrivals.makeAsyncIterator()
    await arrivals.next()
    run.cancel()
    await run.value
    let spans = collector.spans
    #expect(spans.map(\.name) == (0..<6).map { "span \($0)" })
    let span = try #require(spans.first)
    #expect(span.traceID.count == 16)
    #expect(span.spanID.count == 8)
    #expect(span.parentSpanID.isEmpty)
    #expect(span.kind == .server)
    #expect(span.endTimeUnixNano >= span.startTimeUnixNano)
    #expect(span.attributes.map(\.key).sorted() == ["number", "text"])
    #expect(span.status?.code == .error)
    #expect(span.status?.message == "wrong")
    let resource = collector.requests.withLock { $0.first?.resourceSpans.first?.resource }
    #expect(resource?.attributes.first?.value?.value == .stringValue("test"))
  }

  @Test("spans beyond the queue are dropped, and calls are not delayed")
  func bounded() async throws {
    let collector = Collector()
    let exporter = try exporter(collector) { $0.queueMax = 10 }
    makeSpans(100, into: exporter)
    let run = Task { await exporter.run() }
    run.cancel()
    await run.value
    #expect(collector.spans.count == 10)
  }

  @Test("a batch is sent again to a collector that was briefly unavailable")
  func again() async throws {
    let collector = Collector(failures: 1)
    let exporter = try exporter(collector) { $0.batchMax = 2 }
    makeSpans(2, into: exporter)
    let run = Task { await exporter.run() }
    var arrivals = collector.arrivals.makeAsyncIterator()
    await arrivals.next()
    await arrivals.next()
    #expect(collector.spans.count == 2)
    run.cancel()
    await run.value
  }
}
