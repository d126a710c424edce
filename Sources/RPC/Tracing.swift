public import Tracing

/// Creates a span around every call of a server, by swift-distributed-tracing. The caller's trace
/// context is read from the metadata; the span is current in the handler and whatever that calls.
///
/// Put it first in the list of interceptors, so that the log lines of the others carry the trace.
/// It does nothing if no tracer is bootstrapped when it is created.
/// Source: OpenTelemetry, "Semantic conventions for gRPC".
public struct ServerTracing: ServerInterceptor {
  private let tracer: (any Tracer)?

  /// Creates the interceptor.
  /// - Parameter tracer: The tracer of the spans; by default the bootstrapped one.
  public init(tracer: any Tracer = InstrumentationSystem.tracer) {
    self.tracer = tracer is NoOpTracer ? nil : tracer
  }

  /// Runs the rest of the call in a span of its own; what that throws is thrown on.
  public func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    guard let tracer else { return try await next() }
    var trace = InstrumentationContext.topLevel
    tracer.extract(context.metadata, into: &trace, using: MetadataCarrier())
    func status(of error: (any Error)?) -> RPCError.Code? { context.outcome(of: error)?.code }
    try await CallSpan.around(context.method, trace, .server, tracer, status: status) { _ in
      try await next()
    }
  }
}

/// Creates a span around every call of a client and sends its context in the metadata. The
/// counterpart of ``ServerTracing``, for a channel's list of interceptors.
public struct ClientTracing: ClientInterceptor {
  private let tracer: (any Tracer)?

  /// Creates the interceptor.
  /// - Parameter tracer: The tracer of the spans; by default the bootstrapped one.
  public init(tracer: any Tracer = InstrumentationSystem.tracer) {
    self.tracer = tracer is NoOpTracer ? nil : tracer
  }

  /// Runs the rest of the call in a span of its own; what that throws is thrown on.
  public func intercept(_ context: ClientContext, next: () async throws -> Void) async throws {
    guard let tracer else { return try await next() }
    let trace = InstrumentationContext.current ?? .topLevel
    try await CallSpan.around(
      context.method, trace, .client, tracer, status: Self.status
    ) { span in
      var metadata = context.metadata
      tracer.inject(span.context, into: &metadata, using: MetadataCarrier())
      context.metadata = metadata
      try await next()
    }
  }

  private static func status(of error: (any Error)?) -> RPCError.Code? {
    error.map { ($0 as? RPCError)?.code ?? ($0 is CancellationError ? .cancelled : .unknown) }
  }
}

/// The span of a call, on either side.
private enum CallSpan {
  /// - Parameter status: The call's status by the error that `body` has thrown; nil is OK.
  static func around(
    _ method: MethodDescriptor, _ trace: InstrumentationContext, _ kind: SpanKind,
    _ tracer: any Tracer, status: ((any Error)?) -> RPCError.Code?,
    _ body: (any Span) async throws -> Void
  ) async throws {
    let span = tracer.startAnySpan(
      "\(method.service)/\(method.name)", context: trace, ofKind: kind)
    defer { span.end() }
    span.updateAttributes {
      $0["rpc.system"] = "grpc"
      $0["rpc.service"] = method.service
      $0["rpc.method"] = method.name
    }
    func note(_ code: RPCError.Code?) {
      span.updateAttributes { $0["rpc.grpc.status_code"] = code?.rawValue ?? 0 }
      // A server's span fails only by faults of the server, a client's by any failure.
      guard let code, kind == .client || code.isServerFault else { return }
      span.setStatus(SpanStatus(code: .error, message: code.name))
    }
    do {
      try await InstrumentationContext.withValue(span.context) { try await body(span) }
      note(status(nil))
    } catch {
      note(status(error))
      throw error
    }
  }
}

extension RPCError.Code {
  /// Whether this code marks a server's span as failed.
  /// Source: OpenTelemetry, "Semantic conventions for gRPC", on the status of server spans.
  package var isServerFault: Bool {
    switch self {
    case .unknown, .deadlineExceeded, .unimplemented, .internalError, .unavailable, .dataLoss: true
    default: false
    }
  }
}

/// Reads and writes trace headers in a call's metadata.
private struct MetadataCarrier: Extractor, Injector {
  func extract(key: String, from carrier: Metadata) -> String? {
    let values = carrier.values(key).compactMap { value -> String? in
      if case .text(let text) = value { return text }
      return nil
    }
    // Fields of the same name form one list. Source: RFC 9110, section 5.3.
    return values.isEmpty ? nil : values.joined(separator: ",")
  }

  func inject(_ value: String, forKey key: String, into carrier: inout Metadata) {
    guard Metadata.isValid(name: key), !key.hasSuffix("-bin") else { return }
    carrier.removeAll(key)
    carrier.add(key, value)
  }
}
