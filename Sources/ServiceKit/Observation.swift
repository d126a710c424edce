public import Logging
import Metrics
import Synchronization
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
      { SharedLevelHandler(StreamLogHandler.standardError(label: $0, metadataProvider: $1)) },
      metadataProvider: traceMetadata)
    InstrumentationSystem.bootstrap(ServiceTracer(sink: sink))
    let registry = MetricsRegistry()
    MetricsSystem.bootstrap(registry)
    return registry
  }

  /// The least level that is logged by loggers that were given none of their own. From any thread.
  public static var logLevel: Logger.Level {
    get { Logger.Level.allCases[level.load(ordering: .relaxed)] }
    set { level.store(Logger.Level.allCases.firstIndex(of: newValue) ?? 0, ordering: .relaxed) }
  }

  /// Its place among all levels.
  private static let level = Atomic(Logger.Level.allCases.firstIndex(of: .info) ?? 0)

  /// `trace_id` of the running call.
  static let traceMetadata = Logger.MetadataProvider {
    TraceContext.current.map { ["trace_id": "\($0.traceID)"] } ?? [:]
  }
}

/// Log levels by name, as in configuration files.
public enum LogLevel {
  /// Returns the fault of a field whose text is not the name of a log level, for ``Faults``.
  public static func faults(_ name: String, at field: String) -> [String] {
    guard Logger.Level(rawValue: name) == nil else { return [] }
    let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
    return ["\(field): one of \(names)"]
  }
}

/// Logs what the process's level lets through, which can change at any time.
private struct SharedLevelHandler: LogHandler {
  private var base: StreamLogHandler
  private var ownLevel: Logger.Level?

  init(_ base: StreamLogHandler) {
    self.base = base
    // What comes here was let through.
    self.base.logLevel = .trace
  }

  var logLevel: Logger.Level {
    get { ownLevel ?? Observation.logLevel }
    set { ownLevel = newValue }
  }

  var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  var metadataProvider: Logger.MetadataProvider? {
    get { base.metadataProvider }
    set { base.metadataProvider = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) { base.log(event: event) }
}
