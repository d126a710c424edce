package import Metrics
public import Synchronization

/// The metrics of one server method, or of one method and target of a client. Created once, so that
/// a call looks up no label. Recorded through swift-metrics, with the names and labels of gRFC A66.
/// Safe to use from any thread.
package final class CallMeters: Sendable {
  /// The metric families of gRFC A66, by the prefix of their names.
  enum Family: String {
    case server = "grpc.server.call"
    case clientAttempt = "grpc.client.attempt"
    case clientCall = "grpc.client.call"
  }

  /// The metrics of one status. Created when the status first occurs, so that none is exported for
  /// a status that never did.
  private final class Outcome: Sendable {
    let duration: Metrics.Timer
    let sent: Recorder?
    let received: Recorder?

    init(_ family: Family, _ labels: [(String, String)], _ factory: any MetricsFactory) {
      let prefix = family.rawValue
      duration = Metrics.Timer(
        label: "\(prefix).duration", dimensions: labels, preferredDisplayUnit: .seconds,
        factory: factory)
      guard family != .clientCall else {
        sent = nil
        received = nil
        return
      }
      sent = Recorder(
        label: "\(prefix).sent_total_compressed_message_size", dimensions: labels,
        aggregate: true, factory: factory)
      received = Recorder(
        label: "\(prefix).rcvd_total_compressed_message_size", dimensions: labels,
        aggregate: true, factory: factory)
    }
  }

  private let family: Family
  private let labels: [(String, String)]
  private let factory: any MetricsFactory
  private let started: Counter?
  /// The slots by status code; 0 is OK.
  private let places = (0...RPCError.Code.allCases.count).map { _ in LazyCell<Outcome>() }

  init(_ family: Family, labels: [(String, String)], factory: any MetricsFactory) {
    self.family = family
    self.labels = labels
    self.factory = factory
    started =
      family == .clientCall
      ? nil : Counter(label: "\(family.rawValue).started", dimensions: labels, factory: factory)
  }

  /// Counts the start of a call.
  func begin() { started?.increment() }

  /// Records the end of a call. A nil code is OK. Sizes are those of the messages on the wire,
  /// without framing; nil if they are not known.
  func end(
    _ code: RPCError.Code?, after duration: Duration, sentBytes: Int? = nil,
    receivedBytes: Int? = nil
  ) {
    let outcome = outcome(code)
    let (seconds, attoseconds) = duration.components
    outcome.duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    if let sentBytes { outcome.sent?.record(sentBytes) }
    if let receivedBytes { outcome.received?.record(receivedBytes) }
  }

  private func outcome(_ code: RPCError.Code?) -> Outcome {
    places[code?.rawValue ?? 0].value {
      Outcome(family, labels + [("grpc.status", code?.name ?? "OK")], factory)
    }
  }
}

extension CallMeters {
  /// The bootstrapped metrics factory; nil without one, in which case calls are not counted.
  package static var factory: (any MetricsFactory)? {
    let factory = MetricsSystem.factory
    return factory is NOOPMetricsHandler ? nil : factory
  }

  /// Returns the label of a method in the form of A66: without the leading slash.
  package static func label(path: String) -> String { String(path.drop { $0 == "/" }) }
}

/// A reference that is initialized once, on first use. Safe to use from any thread.
@usableFromInline package final class LazyCell<Value: AnyObject & Sendable>: Sendable {
  @usableFromInline let content = AtomicLazyReference<Value>()

  package init() {}

  /// Returns the value, created by `make` on first use; racing threads agree on one value.
  @inlinable package func value(_ make: () -> Value) -> Value {
    content.load() ?? content.storeIfNil(make())
  }
}
