import RPC
import Testing

@Suite("Backpressure", .timeLimit(.minutes(1)))
struct BackpressureTests {
  /// A window, the two queues and the sockets' buffers, generously.
  private static let boundBytes = 16 << 20

  @Test("a slow reader stops a fast writer", arguments: Carrier.allCases)
  func slowReader(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let text = String(repeating: "x", count: 100_000)
      let count = 1000
      let responses: ResponseStream<Text> = try await world.channel.serverStreaming(
        EchoService.repeat, Text("\(count) \(text)"))
      var iterator = responses.makeAsyncIterator()
      #expect(try await iterator.next()?.text == text)
      // The writer goes on until everything is full; it must come to rest by itself.
      var before = -1
      while before != world.witness.events.count {
        before = world.witness.events.count
        // That nothing more happens can only be seen by waiting.
        try await Task.sleep(for: .milliseconds(200))
      }
      #expect(before * 100_000 < Self.boundBytes)
      var received = 1
      while try await iterator.next() != nil { received += 1 }
      #expect(received == count)
    }
  }

  @Test("a slow handler stops a fast client", arguments: Carrier.allCases)
  func slowHandler(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let call: BidirectionalCall<Text, Text> = try await world.channel.bidirectionalStreaming(
        EchoService.chat)
      let text = Text(String(repeating: "x", count: 100_000))
      let sent = Witness()
      // No response is read, so the handler stops, and then so must the sender.
      let sender = Task {
        for _ in 0..<1000 {
          try await call.send(text)
          sent.note("sent")
        }
        try await call.finishSending()
      }
      var before = -1
      while before != sent.events.count {
        before = sent.events.count
        // That nothing more happens can only be seen by waiting.
        try await Task.sleep(for: .milliseconds(200))
      }
      #expect(before * 100_000 < Self.boundBytes * 2)
      #expect(before < 1000)
      var received = 0
      for try await _ in call.responses { received += 1 }
      try await sender.value
      #expect(received == 1000)
    }
  }
}
