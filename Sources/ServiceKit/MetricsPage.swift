public import RPC

/// Answers `GET /metrics` with Prometheus's text: on admin ports only, since it says a lot of what
/// goes on.
public struct MetricsPage: ExchangeHandler {
  static let path = "/metrics"

  private let registry: MetricsRegistry

  /// - Parameter registry: The metrics of the process, read anew for each request.
  public init(registry: MetricsRegistry) { self.registry = registry }

  public func claims(_ head: RequestHead) -> Bool {
    head.path == Self.path || head.path.hasPrefix(Self.path + "?")
  }

  public func serve(_ exchange: ServerExchange) async {
    // The exchange leaves out the body of a response to HEAD.
    guard ["GET", "HEAD"].contains(exchange.head.method) else {
      return await exchange.sendHead([":status": "405", "allow": "GET, HEAD"], endsStream: true)
    }
    let body = Array((registry.text() + ProcessMetrics.text()).utf8)
    await exchange.sendHead([
      ":status": "200", "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "content-length": "\(body.count)",
    ])
    // A scraper that has gone needs no answer.
    guard (try? await exchange.send(body)) != nil else { return }
    await exchange.finish()
  }
}
