import Metrics
import RPC
import Synchronization

/// Counts calls by method, caller and status: `gateway.calls` with the labels `grpc.method`,
/// `caller` and `grpc.status`.
///
/// A partner is a label value of its own; other callers are labeled by their kind, to bound the
/// cardinality. The counters of gRFC A66 exist beside it; they do not know the caller. Safe to use
/// from any thread.
final class CallerMetrics: Sendable {
  /// Partners with a label value of their own; further ones are labeled `other`.
  private static let partnersMax = 500
  private static let partnerPrefix = "partners/"

  /// The counters of one caller and method.
  final class Tally: Sendable {
    private let method: String
    private let caller: String
    private let factory: any MetricsFactory
    /// By status number; 0 is OK.
    private let counters = (0...RPCError.Code.allCases.count).map { _ in LazyCell<Counter>() }

    fileprivate init(_ method: String, _ caller: String, _ factory: any MetricsFactory) {
      self.method = method
      self.caller = caller
      self.factory = factory
    }

    /// Counts a finished call; nil is OK.
    func count(_ code: RPCError.Code?) {
      counters[code?.rawValue ?? 0].value { counter(code) }.increment()
    }

    private func counter(_ code: RPCError.Code?) -> Counter {
      Counter(
        label: "gateway.calls",
        dimensions: [
          ("grpc.method", method), ("caller", caller), ("grpc.status", code?.name ?? "OK"),
        ], factory: factory)
    }
  }

  /// The tallies of one label value, by method number.
  private final class Calls: Sendable {
    let label: String
    let methods: [LazyCell<Tally>]

    init(_ label: String, methodCount: Int) {
      self.label = label
      methods = (0..<methodCount).map { _ in LazyCell<Tally>() }
    }
  }

  private let factory: any MetricsFactory
  /// Label values by method number; 0 stands for every method without a contract.
  private let names: [String]
  private let callers = Mutex<[String: Calls]>([:])

  /// Returns nil where swift-metrics has no backend: bootstrap it first.
  /// - Parameter paths: The numbered methods' paths, from 1 on.
  init?(paths: [String]) {
    guard let factory = CallMeters.factory else { return nil }
    self.factory = factory
    names = ["other"] + paths.map(CallMeters.label)
  }

  /// Returns the tally of a method and caller.
  /// - Parameters:
  ///   - method: ``Route/number`` of the method; 0 where it has none.
  ///   - subject: The authenticated caller; nil where there is none.
  func tally(_ method: Int, by subject: String?) -> Tally {
    let calls = calls(of: subject ?? "-")
    return calls.methods[method].value { Tally(names[method], calls.label, factory) }
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
