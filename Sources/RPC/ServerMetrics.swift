internal import Metrics

/// Records the calls of a server as metrics of gRFC A66: `grpc.server.call.started`, `.duration`,
/// `.sent_total_compressed_message_size` and `.rcvd_total_compressed_message_size`, with the labels
/// `grpc.method` and, except for the first, `grpc.status`.
///
/// Calls to methods that are not known in advance are recorded as `other`, so that callers cannot
/// invent labels. A `Dispatcher` records the calls of its router itself; use this type directly
/// where calls are answered in another way. Safe to use from any thread.
public final class ServerMetrics: Sendable {
  private let known: [String: CallMeters]
  private let other: CallMeters

  /// Creates the metrics; nil if swift-metrics has no backend, so bootstrap that first.
  /// - Parameter paths: `/service/Method` of every method that is recorded under its own name.
  public init?(paths: [String]) {
    guard let factory = CallMeters.factory else { return nil }
    func meters(_ method: String) -> CallMeters {
      CallMeters(.server, labels: [("grpc.method", method)], factory: factory)
    }
    var known: [String: CallMeters] = [:]
    for path in paths { known[path] = meters(CallMeters.label(path: path)) }
    self.known = known
    other = meters("other")
  }

  func meters(path: String) -> CallMeters { known[path] ?? other }

  /// Records the start of a call.
  public func begin(path: String) -> Call { method(path: path).begin() }

  /// Returns the metrics of a method, to be kept for many calls.
  public func method(path: String) -> Method { Method(meters: meters(path: path)) }

  /// The metrics of one method.
  public struct Method: Sendable {
    fileprivate let meters: CallMeters

    /// Records the start of a call.
    public func begin() -> Call { Call(meters) }
  }

  /// A call that is being recorded. End it once.
  public struct Call: Sendable {
    private let meters: CallMeters
    private let startedAt = Moment.now

    init(_ meters: CallMeters) {
      self.meters = meters
      meters.begin()
    }

    /// Records the end of the call. A nil code is OK.
    /// - Parameters:
    ///   - sentBytes: Bytes of the response messages as sent, without their prefixes; nil if
    ///   unknown.
    ///   - receivedBytes: Bytes of the request messages, counted likewise.
    public func end(
      _ code: RPCError.Code?, sentBytes: Int? = nil, receivedBytes: Int? = nil
    ) {
      meters.end(
        code, after: Moment.now - startedAt, sentBytes: sentBytes,
        receivedBytes: receivedBytes)
    }
  }
}
