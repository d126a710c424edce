public import Logging
import Metrics
import OTLPTraceV1
public import RPC
import Synchronization
import Tracing

/// Sends spans to a collector by OTLP over gRPC, in batches, beside the work.
///
/// What ends a span only puts it into a queue, which is bounded: what has no room is dropped and
/// counted (`otlp.spans.dropped`). Safe to use from any thread; call ``run()`` once.
/// Source: OpenTelemetry's batch span processor and its defaults; OTLP 1.x.
public final class SpanExporter: SpanSink {
  /// How much waits, and how it goes.
  public struct Settings: Sendable, Hashable {
    /// Spans that wait at most.
    public var queueMax = 2_048
    /// Spans of one request.
    public var batchMax = 512
    /// The longest a span waits while there is no whole batch.
    public var interval: Duration = .seconds(5)
    /// How long a request may take.
    public var timeout: Duration = .seconds(10)

    /// Creates the defaults.
    public init() {}
  }

  private struct State {
    var waiting: [FinishedSpan] = []
    var wake: CheckedContinuation<Void, Never>?
    var isStopping = false
  }

  /// Attempts of a request that the collector could not take just now.
  private static let attemptsMax = 3
  private static let pause = Duration.seconds(1)

  /// To the collector; to be shut down by who made it.
  public let channel: any Channel
  private let service: String
  private let client: TraceServiceClient
  private let settings: Settings
  private let logger: Logger
  private let state = Mutex(State())
  private let sent = Counter(label: "otlp.spans.sent")
  private let dropped = Counter(label: "otlp.spans.dropped")

  /// - Parameters:
  ///   - service: `service.name`, such as `yijia-gateway`.
  ///   - channel: To the collector.
  public init(
    service: String, channel: any Channel, settings: Settings = Settings(), logger: Logger
  ) {
    self.service = service
    self.channel = channel
    client = TraceServiceClient(channel)
    self.settings = settings
    self.logger = logger
  }

  /// Queues a span; where there is no room it is dropped. Never blocks.
  public func ended(_ span: FinishedSpan) {
    let (hasRoom, wake) = state.withLock { state in
      guard state.waiting.count < settings.queueMax else {
        return (false, CheckedContinuation<Void, Never>?.none)
      }
      state.waiting.append(span)
      guard state.waiting.count >= settings.batchMax else { return (true, nil) }
      defer { state.wake = nil }
      return (true, state.wake)
    }
    if !hasRoom { dropped.increment() }
    wake?.resume()
  }

  /// Sends what comes until the task is cancelled, and then what is left, once.
  public func run() async {
    while !Task.isCancelled {
      await waitForBatch()
      while !Task.isCancelled, let batch = take() {
        await send(batch, attempts: Self.attemptsMax)
      }
    }
    // The task is cancelled: what is left goes in a task of its own, within the timeout.
    let rest = Task { while let batch = take() { await send(batch, attempts: 1) } }
    await rest.value
  }

  private func take() -> [FinishedSpan]? {
    state.withLock { state in
      guard !state.waiting.isEmpty else { return nil }
      let batch = Array(state.waiting.prefix(settings.batchMax))
      state.waiting.removeFirst(batch.count)
      return batch
    }
  }

  /// Returns when there is a batch, after the interval, or when the task is cancelled.
  private func waitForBatch() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.waitForWake() }
      group.addTask {
        // The interval is time itself.
        try? await Task.sleep(for: self.settings.interval)
      }
      await group.next()
      group.cancelAll()
    }
  }

  private func waitForWake() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if Task.isCancelled || state.waiting.count >= settings.batchMax { return true }
          state.wake = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { state in
        defer { state.wake = nil }
        return state.wake
      }?.resume()
    }
  }

  private func send(_ batch: [FinishedSpan], attempts: Int) async {
    var options = CallOptions()
    options.timeout = settings.timeout
    let request = ExportTraceServiceRequest(batch, of: service)
    for attempt in 1...attempts {
      do {
        let answer = try await client.export(request, options: options)
        let rejected = Int(clamping: answer.partialSuccess?.rejectedSpans ?? 0)
        dropped.increment(by: rejected)
        return sent.increment(by: batch.count - rejected)
      } catch {
        let code = (error as? RPCError)?.code
        let mayPass = code == .unavailable || code == .resourceExhausted
        // The pause between attempts is time itself.
        guard mayPass, attempt < attempts, (try? await Task.sleep(for: Self.pause)) != nil else {
          dropped.increment(by: batch.count)
          return logger.warning(
            "spans are lost", metadata: ["count": "\(batch.count)", "cause": "\(error)"])
        }
      }
    }
  }
}

extension ExportTraceServiceRequest {
  fileprivate init(_ batch: [FinishedSpan], of service: String) {
    self.init()
    var resource = Resource()
    resource.attributes = [KeyValue("service.name", .stringValue(service))]
    var spans = ScopeSpans()
    var scope = InstrumentationScope()
    scope.name = "yijia"
    spans.scope = scope
    spans.spans = batch.map { OTLPTraceV1.Span($0) }
    var all = ResourceSpans()
    all.resource = resource
    all.scopeSpans = [spans]
    resourceSpans = [all]
  }
}

extension OTLPTraceV1.Span {
  fileprivate init(_ span: FinishedSpan) {
    self.init()
    let trace = span.context
    traceID = trace.traceID.high.bytes + trace.traceID.low.bytes
    spanID = trace.spanID.bytes
    parentSpanID = span.parentID?.bytes ?? []
    traceState = trace.state
    flags = trace.isSampled ? 1 : 0
    name = span.name
    kind =
      switch span.kind {
      case .server: .server
      case .client: .client
      case .producer: .producer
      case .consumer: .consumer
      case .internal: .internal
      }
    startTimeUnixNano = span.startNanoseconds
    endTimeUnixNano = span.endNanoseconds
    attributes = KeyValue.all(span.attributes)
    events = span.events.map { event in
      var told = OTLPTraceV1.Span.Event()
      told.name = event.name
      told.timeUnixNano = event.nanosecondsSinceEpoch
      told.attributes = KeyValue.all(event.attributes)
      return told
    }
    if let status = span.status {
      var told = OTLPTraceV1.Status()
      told.code = status.code == .ok ? .ok : .error
      told.message = status.message ?? ""
      self.status = told
    }
  }
}

extension KeyValue {
  fileprivate init(_ key: String, _ value: AnyValue.Value) {
    self.init()
    self.key = key
    var any = AnyValue()
    any.value = value
    self.value = any
  }

  /// Those that are one text, number or truth value; lists go as texts.
  fileprivate static func all(_ attributes: SpanAttributes) -> [KeyValue] {
    var all: [KeyValue] = []
    func add(_ key: String, _ value: SpanAttribute) {
      switch value {
      case .int32(let number): all.append(KeyValue(key, .intValue(Int64(number))))
      case .int64(let number): all.append(KeyValue(key, .intValue(number)))
      case .double(let number): all.append(KeyValue(key, .doubleValue(number)))
      case .bool(let truth): all.append(KeyValue(key, .boolValue(truth)))
      case .string(let text): all.append(KeyValue(key, .stringValue(text)))
      case .stringConvertible(let text): all.append(KeyValue(key, .stringValue("\(text)")))
      default: all.append(KeyValue(key, .stringValue("\(value)")))
      }
    }
    attributes.forEach(add)
    return all
  }
}

extension UInt64 {
  /// Most significant first.
  fileprivate var bytes: [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: self >> (56 - 8 * $0)) }
  }
}
