public import RPC
import ServiceKit

/// What operators ask of a running gateway, over HTTP on its admin port: `POST /reload`.
///
/// The port is plaintext on a loopback address, for people and programs of the machine. A page in a
/// browser there has no business with it, so requests with an `origin` are refused.
public struct AdminPages: ExchangeHandler {
  private let reload: @Sendable () throws -> Void

  /// - Parameter reload: Reads the configuration anew; what it throws is told.
  public init(reload: @escaping @Sendable () throws -> Void) { self.reload = reload }

  private struct Answer {
    var status = 200
    var text: String
    var allowed: String?
  }

  public func claims(_ head: RequestHead) -> Bool { Self.paths.contains(head.path) }

  private static let paths: Set = ["/reload"]

  public func serve(_ exchange: ServerExchange) async {
    let answer = answer(exchange.head)
    let body = Array((answer.text + "\n").utf8)
    var head: HeaderList = [
      ":status": "\(answer.status)", "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store", "content-length": "\(body.count)",
    ]
    if let allowed = answer.allowed { head.add("allow", allowed) }
    await exchange.sendHead(head)
    // Who asked and has gone needs no answer.
    guard (try? await exchange.send(body)) != nil else { return }
    await exchange.finish()
  }

  private func answer(_ head: RequestHead) -> Answer {
    guard head.fields["origin"] == nil else {
      return Answer(status: 403, text: "not for pages")
    }
    guard head.method == "POST" else {
      return Answer(status: 405, text: "POST it", allowed: "POST")
    }
    do {
      try reload()
      return Answer(text: "reloaded")
    } catch {
      return Answer(status: 400, text: "refused, the configuration before stays: \(error)")
    }
  }
}
