import Logging
import Metrics
import Tracing

/// What operators see of a process: its log, metrics and traces.
public enum Observation {
  /// Installs the backends of swift-log, swift-metrics and swift-distributed-tracing for this
  /// process. Once, first thing in `main`: what counts or traces looks for its backend when it is
  /// made.
  ///
  /// Log lines of a call carry its `trace_id`.
  /// - Parameter sink: Takes the spans; nil passes trace identifiers on without recording.
  /// - Returns: what an admin port's ``MetricsPage`` shows.
  @discardableResult
  public static func bootstrap(sink: (any SpanSink)? = nil) -> MetricsRegistry {
    LoggingSystem.bootstrap(
      { StreamLogHandler.standardError(label: $0, metadataProvider: $1) },
      metadataProvider: traceMetadata)
    InstrumentationSystem.bootstrap(ServiceTracer(sink: sink))
    let registry = MetricsRegistry()
    MetricsSystem.bootstrap(registry)
    return registry
  }

  /// `trace_id` of the running call.
  static let traceMetadata = Logger.MetadataProvider {
    TraceContext.current.map { ["trace_id": "\($0.traceID)"] } ?? [:]
  }
}
