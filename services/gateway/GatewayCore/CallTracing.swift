import RPC
public import ServiceKit
import Tracing

/// Creates the server span of each sampled call: every call whose `traceparent` has the sampled
/// flag, and a share of those without one. The span is the parent of the service's span.
/// Source: W3C Trace Context; OpenTelemetry, "Semantic conventions for gRPC".
public struct CallTracing: Sendable {
  private let tracer: ServiceTracer
  private let share: Sampler

  /// - Parameters:
  ///   - sink: Takes the spans.
  ///   - share: Share of the calls without a trace that is sampled, 0 to 1.
  public init(into sink: any SpanSink, share: Double) {
    tracer = ServiceTracer(sink: sink)
    self.share = Sampler(share: share)
  }

  /// One call's span.
  struct Call: Sendable {
    fileprivate let span: ServiceSpan

    /// The trace context that is sent to the service.
    var trace: TraceContext? { TraceContext.of(span.context) }

    func end(_ record: CallRecord) {
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

  /// Starts a call's span; nil if it is not sampled.
  /// - Parameter path: The method's path, which names the span.
  func begin(_ head: RequestHead, path: String) -> Call? {
    var context = InstrumentationContext.topLevel
    tracer.extract(head, into: &context, using: HeadExtractor())
    if let parent = TraceContext.of(context) {
      guard parent.isSampled else { return nil }
    } else {
      guard share.takes() else { return nil }
    }
    return Call(
      span: tracer.startSpan(
        CallMeters.label(path: path), context: context, ofKind: .server,
        at: DefaultTracerClock.now, function: #function, file: #fileID, line: #line))
  }

  private struct HeadExtractor: Extractor {
    func extract(key: String, from head: RequestHead) -> String? { head.fields[key] }
  }
}
