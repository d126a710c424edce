import RPC
public import ServiceKit
import Tracing

/// Makes a span of each call that is recorded: of a caller that says that it records its trace, and
/// of a share of those that bring none. The span is the parent of what the service does.
/// Source: W3C Trace Context; OpenTelemetry, "Semantic conventions for gRPC".
public struct CallTracing: Sendable {
  private let tracer: ServiceTracer
  private let share: Sampler

  /// - Parameters:
  ///   - sink: Takes the spans.
  ///   - share: Of calls without a trace, from 0 to 1.
  public init(into sink: any SpanSink, share: Double) {
    tracer = ServiceTracer(sink: sink)
    self.share = Sampler(share: share)
  }

  /// One call's span.
  struct Call: Sendable {
    fileprivate let span: ServiceSpan

    /// What the service is told.
    var trace: TraceContext? { TraceContext.of(span.context) }

    func end(_ record: CallRecord) {
      span.updateAttributes { attributes in
        attributes["rpc.system"] = "grpc"
        attributes["rpc.grpc.status_code"] = record.code?.rawValue ?? 0
        if let service = record.service { attributes["yijia.service"] = service }
        if let caller = record.caller { attributes["yijia.caller"] = caller }
        if let reason = record.reason { attributes["yijia.reason"] = reason }
      }
      switch record.code {
      // A server's span fails by its own fault only.
      case .unknown, .deadlineExceeded, .unimplemented, .internalError, .unavailable, .dataLoss:
        span.setStatus(SpanStatus(code: .error, message: record.code?.name))
      default: break
      }
      span.end()
    }
  }

  /// - Parameter path: Of the method, as it may be told.
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
        String(path.drop { $0 == "/" }), context: context, ofKind: .server,
        at: DefaultTracerClock.now, function: #function, file: #fileID, line: #line))
  }

  private struct HeadExtractor: Extractor {
    func extract(key: String, from head: RequestHead) -> String? { head.fields[key] }
  }
}
