import RPC
public import ServiceKit
import Tracing

/// Creates the server span of each sampled call: every call of an authenticated caller whose
/// `traceparent` has the sampled flag, and a share of the calls without a `traceparent`. The flag
/// of other callers selects nothing, so that nobody can make the gateway export spans at will: of
/// such calls the share is sampled too. The span is the parent of the service's span.
/// Source: W3C Trace Context, 4.2 (sampled flag) and 6 (security); OpenTelemetry, "Semantic
/// conventions for gRPC".
public struct CallTracing: Sendable {
  private let tracer: ServiceTracer
  private let share: Sampler

  /// - Parameters:
  ///   - sink: Takes the spans.
  ///   - share: Share of the calls that is sampled without a caller's request, 0 to 1.
  public init(into sink: any SpanSink, share: Double) {
    tracer = ServiceTracer(sink: sink)
    self.share = Sampler(share: share)
  }

  /// One call, and its span if it is sampled. That is decided when it is known who calls.
  struct Call: Sendable {
    private let tracing: CallTracing
    private let context: InstrumentationContext
    private let path: String
    private let startedAt = DefaultTracerClock.now
    private var isDecided = false
    private var span: ServiceSpan?

    fileprivate init(_ tracing: CallTracing, _ context: InstrumentationContext, path: String) {
      self.tracing = tracing
      self.context = context
      self.path = path
    }

    /// The trace context that is sent to the service; nil without a span.
    var trace: TraceContext? { span.flatMap { TraceContext.of($0.context) } }

    /// Starts the span if the call is sampled. The first decision holds.
    mutating func decide(isAuthenticated: Bool) {
      guard !isDecided else { return }
      isDecided = true
      let parent = TraceContext.of(context)
      guard parent?.isSampled ?? true, (isAuthenticated && parent != nil) || tracing.share.takes()
      else { return }
      span = tracing.tracer.startSpan(
        CallMeters.label(path: path), context: context, ofKind: .server, at: startedAt,
        function: #function, file: #fileID, line: #line)
    }

    func end(_ record: CallRecord) {
      guard let span else { return }
      span.updateAttributes { attributes in
        attributes["rpc.system"] = "grpc"
        attributes["rpc.grpc.status_code"] = record.code?.rawValue ?? 0
        if let service = record.service { attributes["yijia.service"] = service }
        if let caller = record.caller { attributes["yijia.caller"] = caller }
        if let reason = record.reason { attributes["yijia.reason"] = reason }
      }
      if let code = record.code, code.isServerFault {
        span.setStatus(SpanStatus(code: .error, message: code.name))
      }
      span.end()
    }
  }

  /// Begins a call.
  /// - Parameter path: The method's path, which names the span.
  func begin(_ head: RequestHead, path: String) -> Call {
    var context = InstrumentationContext.topLevel
    tracer.extract(head, into: &context, using: HeadExtractor())
    return Call(self, context, path: path)
  }

  private struct HeadExtractor: Extractor {
    func extract(key: String, from head: RequestHead) -> String? {
      // A trace context that is there twice is none (W3C Trace Context, section 3.2.1).
      key == "traceparent" ? head.fields.only(key) : head.fields[key]
    }
  }
}
