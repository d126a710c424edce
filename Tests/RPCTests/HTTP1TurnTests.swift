import RPC
import RPCTransport
import Synchronization
import Testing

/// Counts the requests that are served before a timer that is due at the first of them runs.
private final class Turn: ExchangeHandler {
  private let served = Mutex(0)
  let servedBeforeTimer = Mutex<Int?>(nil)

  func claims(_ head: RequestHead) -> Bool { true }

  func serve(_ exchange: ServerExchange) async {
    if served.withLock({ served in
      served += 1
      return served == 1
    }) {
      await exchange.exchange.onLoop {
        _ = exchange.exchange.loop.schedule(after: .zero) {
          self.servedBeforeTimer.withLock { $0 = self.served.withLock { $0 } }
        }
      }
    }
    await exchange.sendHead([":status": "200", "content-length": "0"])
    await exchange.finish()
  }
}

@Suite("Turns of HTTP/1.1", .timeLimit(.minutes(1)))
struct HTTP1TurnTests {
  @Test("pipelined requests leave the other sockets and timers of the loop their turn in between")
  func turns() async throws {
    let turn = Turn()
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [turn])
    try await withServer(dispatcher, allowsHTTP1: true) { _, address, _ in
      let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
      let last = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
      let all = String(repeating: request, count: 300) + last
      let answer = String(decoding: try await speak(Array(all.utf8), to: address), as: UTF8.self)
      #expect(answer.ranges(of: "200 OK").count == 301)
      #expect(try #require(turn.servedBeforeTimer.withLock { $0 }) <= 3)
    }
  }
}
