import GRPCHealthV1
public import RPC

/// Answers the plain HTTP requests of an admin port that nothing else claims: `GET /health` (also
/// `/healthz` and `/ready`) with 200 or 503, any other path with 404 and the list of pages.
public struct StatusPage: ExchangeHandler {
  private static let paths: Set<Substring> = ["/health", "/healthz", "/ready"]

  private let health: HealthRegistry
  private let others: [String]

  /// - Parameter others: The paths of the port's other pages, for the list.
  public init(of health: HealthRegistry, others: [String]) {
    self.health = health
    self.others = others
  }

  public func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

  public func serve(_ exchange: ServerExchange) async {
    let head = exchange.head
    let isSent = head.method == "GET"
    guard isSent || head.method == "HEAD" else {
      return await exchange.sendHead([":status": "405", "allow": "GET, HEAD"], endsStream: true)
    }
    let (status, text) = answer(head.path.prefix { $0 != "?" })
    let body = Array(text.utf8)
    await exchange.sendHead(
      [
        ":status": status, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store",
        "content-length": "\(body.count)",
      ], endsStream: !isSent)
    // An error means that the client has disconnected.
    guard isSent, (try? await exchange.send(body)) != nil else { return }
    await exchange.finish()
  }

  private func answer(_ path: Substring) -> (status: String, text: String) {
    guard Self.paths.contains(path) else {
      let pages = (["/health"] + others).joined(separator: "\n")
      return ("404", "no such page; there are:\n\(pages)\n")
    }
    let isServing = health.status(of: "") == .serving
    return isServing ? ("200", "serving\n") : ("503", "not serving\n")
  }
}
