internal import Metrics

/// Counts a server's calls by gRFC A66: `grpc.server.call.started`, `.duration`,
/// `.sent_total_compressed_message_size` and `.rcvd_total_compressed_message_size`, with the labels
/// `grpc.method` and, but for the first, `grpc.status`.
///
/// Calls to methods that are not known beforehand are counted as `other`, so that callers cannot
/// make up labels. A `Dispatcher` counts the calls of its router by itself; this is for whoever
/// answers calls in another way. Safe to use from any thread.
public final class ServerMetrics: Sendable {
  private let known: [String: CallMeters]
  private let other: CallMeters

  /// Nil where swift-metrics has no backend: bootstrap it first.
  /// - Parameter paths: `/service/Method` of every method that is counted under its own name.
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

  /// A call begins.
  public func begin(path: String) -> Call { method(path: path).begin() }

  /// A method, for who looks it up once for many calls.
  public func method(path: String) -> Method { Method(meters: meters(path: path)) }

  /// A method whose calls are counted.
  public struct Method: Sendable {
    fileprivate let meters: CallMeters

    /// A call begins.
    public func begin() -> Call { Call(meters) }
  }

  /// A call that is being counted. End it once.
  public struct Call: Sendable {
    private let meters: CallMeters
    private let startedAt = Moment.now

    init(_ meters: CallMeters) {
      self.meters = meters
      meters.begin()
    }

    /// The call is over. Nil is OK.
    /// - Parameters:
    ///   - sentBytes: Bytes of its responses' messages as they were sent, without their prefixes;
    ///     nil where nobody knows.
    ///   - receivedBytes: The same of its requests'.
    public func end(
      _ code: RPCError.Code?, sentBytes: Int? = nil, receivedBytes: Int? = nil
    ) {
      meters.end(
        code, after: Moment.now - startedAt, sentBytes: sentBytes,
        receivedBytes: receivedBytes)
    }
  }
}
