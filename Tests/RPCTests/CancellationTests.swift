import Testing

@testable import RPC
@testable import RPCInProcess

@Suite("Deadlines and cancellation", .timeLimit(.minutes(1)))
struct CancellationTests {
  @Test("a deadline ends the call on both sides", arguments: Carrier.allCases)
  func deadline(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      // Connected in advance, so that the handler starts well before the deadline.
      _ = try await world.channel.echo("x")
      var options = CallOptions()
      options.timeout = .milliseconds(500)
      let error = await failure {
        _ = try await world.channel.call(EchoService.wait, "x", options: options)
      }
      #expect(error?.code == .deadlineExceeded)
      await world.witness.saw("returned")
      #expect(world.witness.events == ["started", "cancelled", "returned"])
    }
  }

  @Test("the longest possible timeout ends nothing", arguments: Carrier.allCases)
  func endlessDeadline(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      var options = CallOptions()
      options.timeout = .seconds(99_999_999 * 3600)
      let answer = try await world.channel.echo("x", options: options)
      #expect(answer == "x")
    }
  }

  @Test("after the last identifier of a link the first free one follows")
  func lastIdentifier() async throws {
    let loop = QueueLoop()
    let link = InProcessLink(try echoDispatcher(), loop: loop, peer: Peer(address: "test"))
    let ids = await withTaskExecutorPreference(loop) {
      let head = RequestHead(path: EchoService.chat.path)
      let first = link.open(head, options: ExchangeOptions()).exchange.id.id
      link.lastID = .max - 2
      let later = (0..<3).map { _ in link.open(head, options: ExchangeOptions()).exchange.id.id }
      link.disconnect()
      return [first] + later
    }
    #expect(ids == [1, .max, 3, 5])
  }

  @Test("a deadline that passed before the call fails it", arguments: Carrier.allCases)
  func passedDeadline(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      var options = CallOptions()
      options.deadline = .after(.zero)
      let error = await failure { _ = try await world.channel.echo("x", options: options) }
      #expect(error?.code == .deadlineExceeded)
    }
  }

  @Test("a cancelled client task cancels the handler", arguments: Carrier.allCases)
  func clientCancels(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let call = Task { () -> RPCError? in
        await failure {
          _ = try await world.channel.call(EchoService.wait, "x")
        }
      }
      await world.witness.saw("started")
      call.cancel()
      #expect(await call.value?.code == .cancelled)
      await world.witness.saw("cancelled")
    }
  }

  @Test("a dropped response stream cancels the handler", arguments: Carrier.allCases)
  func dropped(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      do {
        let call: BidirectionalCall<Text, Text> = try await world.channel.bidirectionalStreaming(
          EchoService.chat)
        try await call.send("hello")
        var responses = call.responses.makeAsyncIterator()
        #expect(try await responses.next()?.text == "re: hello")
      }
      await world.witness.saw("chat failed")
    }
  }

  @Test("cancel() ends the reader with CANCELLED", arguments: Carrier.allCases)
  func explicit(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let call: BidirectionalCall<Text, Text> = try await world.channel.bidirectionalStreaming(
        EchoService.chat)
      await world.witness.saw("chatting")
      call.cancel()
      let error = await failure { for try await _ in call.responses {} }
      #expect(error?.code == .cancelled)
      await world.witness.saw("chat over")
    }
  }

  @Test("a lost connection fails the call and cancels the handler")
  func lostConnection() async throws {
    let witness = Witness()
    let channel = InProcessChannel(try echoDispatcher(witness))
    async let error = failure {
      _ = try await channel.call(EchoService.wait, "x")
    }
    await witness.saw("started")
    await channel.disconnect()
    #expect(await error?.code == .unavailable)
    await witness.saw("cancelled")
  }

  @Test("a server that ends early reports its status to the sender", arguments: Carrier.allCases)
  func earlyEnd(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let call: BidirectionalCall<Text, Text> = try await world.channel.bidirectionalStreaming(
        EchoService.chat)
      try await call.send("bye")
      let error = await failure { for try await _ in call.responses {} }
      #expect(error?.code == .aborted)
      let late = await failure { try await call.send("more") }
      #expect(late?.code == .aborted)
    }
  }
}
