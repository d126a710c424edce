import Synchronization
public import Tracing

/// The tracer of every service: spans with W3C identifiers, handed to a sink when they end.
///
/// Without a sink no span records anything, but the identifiers still pass from call to call and
/// into the log. Safe to use from any thread.
public final class ServiceTracer: Tracer {
  private let sink: (any SpanSink)?
  private let random: @Sendable () -> UInt64

  /// - Parameters:
  ///   - sink: Takes what ended; nil where nobody wants it.
  ///   - random: Where identifiers come from.
  public init(
    sink: (any SpanSink)? = nil,
    random: @escaping @Sendable () -> UInt64 = { .random(in: 1...UInt64.max) }
  ) {
    self.sink = sink
    self.random = random
  }

  public func startSpan<Instant: TracerInstant>(
    _ operationName: String, context: @autoclosure () -> InstrumentationContext,
    ofKind kind: SpanKind, at instant: @autoclosure () -> Instant, function: String,
    file fileID: String, line: UInt
  ) -> ServiceSpan {
    var context = context()
    let parent = TraceContext.of(context)
    let own = TraceContext(
      traceID: parent?.traceID ?? TraceID(high: random(), low: random()), spanID: random(),
      isSampled: parent?.isSampled ?? (sink != nil), state: parent?.state ?? "")
    own.put(into: &context)
    let isRecording = own.isSampled && sink != nil
    return ServiceSpan(
      FinishedSpan(
        name: operationName, kind: kind, context: own, parentID: parent?.spanID,
        startNanoseconds: isRecording ? instant().nanosecondsSinceEpoch : 0),
      context: context, sink: isRecording ? sink : nil)
  }

  public func forceFlush() {}

  public func extract<Carrier, Extract: Extractor>(
    _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
  ) where Extract.Carrier == Carrier {
    guard let parent = extractor.extract(key: "traceparent", from: carrier) else { return }
    TraceContext(parent: parent, state: extractor.extract(key: "tracestate", from: carrier))?
      .put(into: &context)
  }

  public func inject<Carrier, Inject: Injector>(
    _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
  ) where Inject.Carrier == Carrier {
    guard let trace = TraceContext.of(context) else { return }
    injector.inject(trace.parent, forKey: "traceparent", into: &carrier)
    if !trace.state.isEmpty { injector.inject(trace.state, forKey: "tracestate", into: &carrier) }
  }
}

/// Takes spans when they end. Called in passing, on any thread: it must not block.
public protocol SpanSink: Sendable {
  /// Takes a sampled span, once, when it has ended.
  func ended(_ span: FinishedSpan)
}

/// What a span came to.
public struct FinishedSpan: Sendable {
  /// What the span is of: for a call, `service/Method`.
  public var name: String
  /// Which side of a call it is, or that it is internal.
  public let kind: SpanKind
  /// Its trace and its own identifier.
  public let context: TraceContext
  /// The span it belongs to; nil where a trace begins.
  public let parentID: UInt64?
  /// Since 1970.
  public let startNanoseconds: UInt64
  /// Since 1970.
  public internal(set) var endNanoseconds: UInt64 = 0
  /// Facts about the span, by OpenTelemetry's names.
  public internal(set) var attributes: SpanAttributes = [:]
  /// What happened within it, recorded errors included: at most 128.
  public internal(set) var events: [SpanEvent] = []
  /// Spans of other traces that it has to do with: at most 128.
  public internal(set) var links: [SpanLink] = []
  /// Nil where nobody said.
  public internal(set) var status: SpanStatus?
}

/// A span that goes on. Safe to use from any thread.
public final class ServiceSpan: Span {
  /// Events and links that a span keeps; further ones are dropped.
  /// Source: OpenTelemetry's defaults.
  private static let listMax = 128

  private struct State {
    var span: FinishedSpan
    var isOver = false
  }

  /// What the calls made under this span go along with.
  public let context: InstrumentationContext
  private let sink: (any SpanSink)?
  private let state: Mutex<State>

  init(_ span: FinishedSpan, context: InstrumentationContext, sink: (any SpanSink)?) {
    self.context = context
    self.sink = sink
    state = Mutex(State(span: span))
  }

  public var isRecording: Bool { sink != nil }

  public var operationName: String {
    get { state.withLock { $0.span.name } }
    set { change { $0.name = newValue } }
  }

  public var attributes: SpanAttributes {
    get { state.withLock { $0.span.attributes } }
    set { change { $0.attributes = newValue } }
  }

  public func setStatus(_ status: SpanStatus) { change { $0.status = status } }

  public func addEvent(_ event: SpanEvent) {
    change { if $0.events.count < Self.listMax { $0.events.append(event) } }
  }

  public func addLink(_ link: SpanLink) {
    change { if $0.links.count < Self.listMax { $0.links.append(link) } }
  }

  public func recordError<Instant: TracerInstant>(
    _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
  ) {
    guard isRecording else { return }
    var attributes = attributes
    attributes["exception.type"] = "\(type(of: error))"
    addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
  }

  public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
    guard let sink else { return }
    let now = instant().nanosecondsSinceEpoch
    let ended = state.withLock { state -> FinishedSpan? in
      guard !state.isOver else { return nil }
      state.isOver = true
      state.span.endNanoseconds = now
      return state.span
    }
    if let ended { sink.ended(ended) }
  }

  /// Changes what will be told, if anyone will be.
  private func change(_ body: (inout FinishedSpan) -> Void) {
    guard isRecording else { return }
    state.withLock { if !$0.isOver { body(&$0.span) } }
  }
}
