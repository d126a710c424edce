import HTTP2
import RPCTransport
import Testing

@testable import RPC
@testable import RPCInProcess

/// Responses whose end does not come, or not where it belongs.
@Suite("Ends of responses", .timeLimit(.minutes(1)))
struct ResponseEndTests {
  private static let grpc = [(":status", "200"), ("content-type", "application/grpc")]
  private static let ok = [("grpc-status", "0")]
  private static let one: [UInt8] = [0, 0, 0, 0, 1, UInt8(ascii: "x")]

  /// Notes how the server's streams ended: with which code.
  private static func noteEnd(_ turn: ScriptedServer.Turn, _ witness: Witness) {
    if case .closed(let stream, let code) = turn.event {
      witness.note("stream \(stream.id) ended with \(code.rawValue)")
    }
  }

  @Test(
    "a response ends its call, also if the server does not reset the rest of the request",
    arguments: [true, false])
  func endsEarly(hasMessage: Bool) async throws {
    let witness = Witness()
    try await ScriptedServer.withClient { turn in
      Self.noteEnd(turn, witness)
      guard case .head(let stream, _, _) = turn.event else { return }
      turn.session.keepOpen(stream)
      if hasMessage {
        turn.answer(stream, Self.grpc, body: Self.one, trailers: Self.ok)
      } else {
        turn.answer(stream, Self.grpc + Self.ok, endsStream: true)
      }
    } _: { channel in
      let call: BidirectionalCall<Text, Text> = try await channel.bidirectionalStreaming(
        EchoService.chat)
      var responses = call.responses.makeAsyncIterator()
      if hasMessage { #expect(try await responses.next()?.text == "x") }
      #expect(try await responses.next() == nil)
      await witness.saw("stream 1 ended with 0")
      #expect(await failure { try await call.send("y") }?.code == .cancelled)
    }
  }

  @Test("a second message fails a unary call, though the response goes on")
  func secondMessage() async throws {
    let witness = Witness()
    try await ScriptedServer.withClient { turn in
      Self.noteEnd(turn, witness)
      guard let stream = turn.endedRequest else { return }
      turn.answer(stream, Self.grpc, body: Self.one + Self.one)
    } _: { channel in
      var options = CallOptions()
      options.timeout = .seconds(20)
      let within = options
      let error = await failure { _ = try await channel.echo("x", options: within) }
      #expect(error?.code == .unimplemented)
      await witness.saw("stream 1 ended with 8")
    }
  }

  @Test("a status in the head does not count for a response with a body")
  func statusInTheHead() async throws {
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      turn.answer(stream, Self.grpc + Self.ok, body: Self.one)
      turn.session.submitEnd(stream, trailers: nil)
    } _: { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unknown)
      let responses: ResponseStream<Text> = try await channel.serverStreaming(
        EchoService.repeat, Text("x"))
      var iterator = responses.makeAsyncIterator()
      #expect(try await iterator.next()?.text == "x")
      #expect(await failure { _ = try await iterator.next() }?.code == .unknown)
    }
  }

  @Test("the stream of a failed attempt is reset when the next one starts")
  func abandonedAttempt() async throws {
    let witness = Witness()
    let policy = RetryPolicy(
      attemptsMax: 2, initialBackoff: .milliseconds(1), maxBackoff: .milliseconds(1),
      backoffMultiplier: 1, retryableCodes: [.unavailable])
    try await ScriptedServer.withClient {
      $0.serviceConfig = ServiceConfig(
        methods: [MethodConfig(names: [.init()], execution: .retry(policy))])
    } _: { turn in
      Self.noteEnd(turn, witness)
      guard let stream = turn.endedRequest else { return }
      if turn.request == 1 {
        // The page that explains it never ends.
        turn.answer(stream, [(":status", "503")], body: Array("<html>".utf8))
      } else {
        turn.answerWell(stream)
      }
    } _: { channel in
      let responses: ResponseStream<Text> = try await channel.serverStreaming(
        EchoService.repeat, Text("x"))
      var iterator = responses.makeAsyncIterator()
      #expect(try await iterator.next()?.text == "x")
      #expect(try await iterator.next() == nil)
      await witness.saw("stream 1 ended with 8")
    }
  }

  @Test("a health check whose response cannot be read is reset")
  func unreadableHealthCheck() async throws {
    let witness = Witness()
    try await ScriptedServer.withClient {
      $0.healthService = ""
    } _: { turn in
      Self.noteEnd(turn, witness)
      guard let stream = turn.endedRequest else { return }
      // A message that is far too long for a health check, and does not come.
      turn.answer(stream, Self.grpc, body: [0, 0, 0, 255, 255])
    } _: { channel in
      channel.connect()
      await witness.saw("stream 1 ended with 8")
    }
  }

  @Test("a call that its server cancels once the deadline has passed is DEADLINE_EXCEEDED")
  func cancelledInTime() async throws {
    let loop = QueueLoop()
    let peer = Peer(address: "test")
    let link = InProcessLink(try echoDispatcher(), loop: loop, peer: peer)
    /// Returns the code of a call with that deadline whose server cancels it.
    func code(_ deadline: Deadline?) async -> RPCError.Code? {
      await withTaskExecutorPreference(loop) {
        let exchange = Exchange(
          transport: InProcessEnd(link: link, side: .client, peer: peer),
          id: ExchangeID(id: 1, slot: 0), state: .client)
        let client = ClientExchange.make(exchange, options: ExchangeOptions(deadline: deadline))
        // Before the loop can run the timer.
        exchange.closed(.reset(.cancel))
        return client.inbox.failure?.code
      }
    }
    #expect(await code(.after(.zero)) == .deadlineExceeded)
    #expect(await code(.after(.seconds(600))) == .cancelled)
    #expect(await code(nil) == .cancelled)
  }
}
