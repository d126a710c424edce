import Metrics
import RPC
import Synchronization

/// Counts calls by method, caller and status: `gateway.calls` with the labels `grpc.method`,
/// `caller` and `grpc.status`.
///
/// A partner has its own label; other callers have that of their kind, for there is no end of them.
/// Beside the counters of gRFC A66, which have no callers. Safe to use from any thread.
final class CallerMetrics: Sendable {
  /// Partners with a label of their own; further ones are `other`.
  private static let partnersMax = 500
  private static let partnerPrefix = "partners/"

  /// A place that is filled once.
  private final class Place<Value: AnyObject & Sendable>: Sendable {
    let value = AtomicLazyReference<Value>()
  }

  /// Counts the calls of one caller to one method.
  final class Tally: Sendable {
    private let method: String
    private let caller: String
    private let factory: any MetricsFactory
    /// By number of status; 0 is OK.
    private let counters = (0...RPCError.Code.allCases.count).map { _ in Place<Counter>() }

    fileprivate init(_ method: String, _ caller: String, _ factory: any MetricsFactory) {
      self.method = method
      self.caller = caller
      self.factory = factory
    }

    /// A call is over. Nil is OK.
    func count(_ code: RPCError.Code?) {
      let place = counters[code?.rawValue ?? 0]
      let counter = place.value.load() ?? place.value.storeIfNil(counter(code))
      counter.increment()
    }

    private func counter(_ code: RPCError.Code?) -> Counter {
      Counter(
        label: "gateway.calls",
        dimensions: [
          ("grpc.method", method), ("caller", caller), ("grpc.status", code?.name ?? "OK"),
        ], factory: factory)
    }
  }

  /// By number of method.
  private final class Calls: Sendable {
    let label: String
    let methods: [Place<Tally>]

    init(_ label: String, methodCount: Int) {
      self.label = label
      methods = (0..<methodCount).map { _ in Place<Tally>() }
    }
  }

  private let factory: any MetricsFactory
  /// By number; 0 is any method that no contract has.
  private let names: [String]
  private let callers = Mutex<[String: Calls]>([:])

  /// Nil where swift-metrics has no backend: bootstrap it first.
  /// - Parameter paths: Of the methods with a number, from 1 on.
  init?(paths: [String]) {
    factory = MetricsSystem.factory
    if factory is NOOPMetricsHandler { return nil }
    names = ["other"] + paths.map { String($0.drop { $0 == "/" }) }
  }

  /// - Parameters:
  ///   - method: Its number; 0 where it has none.
  ///   - subject: Who called, where that was proven.
  func tally(_ method: Int, by subject: String?) -> Tally {
    let calls = calls(of: subject ?? "-")
    let place = calls.methods[method]
    return place.value.load()
      ?? place.value.storeIfNil(Tally(names[method], calls.label, factory))
  }

  private func calls(of subject: String) -> Calls {
    callers.withLock { callers in
      if let known = callers[subject] { return known }
      let isPartner = subject.hasPrefix(Self.partnerPrefix)
      let kind = String(subject.prefix { $0 != "/" })
      let label = isPartner ? (callers.count < Self.partnersMax ? subject : "other") : kind
      let calls = callers[label] ?? Calls(label, methodCount: names.count)
      callers[label] = calls
      return calls
    }
  }
}
