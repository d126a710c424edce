import RPC
import RPCTransport
import Testing

/// Forwards every exchange of one service.
struct ForwardAll: ExchangeHandler {
  let backend: any RPC.Channel

  func claims(_ head: RequestHead) -> Bool { head.path.hasPrefix("/\(EchoService.name)/") }

  func serve(_ exchange: ServerExchange) async {
    do {
      let client = try await backend.openExchange(
        RequestHead(
          path: exchange.head.path, metadata: exchange.head.metadata,
          timeout: exchange.head.timeout))
      _ = await ExchangeProxy.forward(exchange, to: client)
    } catch {
      await exchange.fail(error as? RPCError ?? RPCError(.internalError, "\(error)"))
    }
  }
}

@Suite("Raw forwarding", .timeLimit(.minutes(1)))
struct ProxyTests {
  /// client → proxy on its own loops → backend.
  private func with(_ body: (ClientChannel, Witness) async throws -> Void) async throws {
    let witness = Witness()
    try await withServer(try echoDispatcher(witness)) { _, backend, backendLoops in
      let inner = try ClientChannel(targets: [backend], loops: backendLoops)
      let proxy = Dispatcher(
        router: try Router(services: []), handlers: [ForwardAll(backend: inner)])
      try await withServer(proxy) { _, address, loops in
        let client = try ClientChannel(targets: [address], loops: loops)
        do {
          try await body(client, witness)
        } catch {
          await client.shutdown()
          throw error
        }
        await client.shutdown()
      }
      await inner.shutdown()
    }
  }

  @Test("all four kinds pass, with metadata and status")
  func kinds() async throws {
    try await with { client, _ in
      var options = CallOptions()
      options.metadata = ["x-echo": "text", "x-echo-bin": .binary([0, 1, 2])]
      let response: ClientResponse<Text> = try await client.unary(
        EchoService.unary, Text("hello"), options: options)
      #expect(response.message == "hello")
      #expect(response.headers[text: "x-echo"] == "text")
      #expect(response.trailers[binary: "x-echo-bin"] == [0, 1, 2])

      let error = await failure { _ = try await client.call(EchoService.fail, "no") }
      #expect(error?.code == .failedPrecondition)
      #expect(error?.details == [8, 9, 10])

      let collect: ClientStreamingCall<Text, Text> = try await client.clientStreaming(
        EchoService.collect)
      for text in ["a", "b", "c"] { try await collect.send(Text(text)) }
      let collected = try await collect.finish()
      #expect(collected.message == "a,b,c")

      let stream: ResponseStream<Text> = try await client.serverStreaming(
        EchoService.repeat, Text("50"))
      var count = 0
      for try await _ in stream { count += 1 }
      #expect(count == 50)

      let chat: BidirectionalCall<Text, Text> = try await client.bidirectionalStreaming(
        EchoService.chat)
      var responses = chat.responses.makeAsyncIterator()
      for index in 0..<5 {
        try await chat.send(Text("\(index)"))
        #expect(try await responses.next()?.text == "re: \(index)")
      }
      try await chat.finishSending()
      #expect(try await responses.next() == nil)
    }
  }

  @Test("the caller's cancellation reaches the backend's handler")
  func cancellation() async throws {
    try await with { client, witness in
      let call = Task { await failure { _ = try await client.call(EchoService.wait, "x") } }
      await witness.saw("started")
      call.cancel()
      #expect(await call.value?.code == .cancelled)
      await witness.saw("cancelled")
    }
  }

  @Test("the caller's deadline reaches the backend's handler")
  func deadline() async throws {
    try await with { client, witness in
      // Connected beforehand, so that the handler starts well before the deadline.
      _ = try await client.echo("x")
      var options = CallOptions()
      options.timeout = .milliseconds(500)
      let error = await failure {
        _ = try await client.call(EchoService.wait, "x", options: options)
      }
      #expect(error?.code == .deadlineExceeded)
      await witness.saw("cancelled")
    }
  }

  @Test("backpressure passes through the proxy")
  func backpressure() async throws {
    try await with { client, witness in
      let text = String(repeating: "x", count: 100_000)
      let stream: ResponseStream<Text> = try await client.serverStreaming(
        EchoService.repeat, Text("1000 \(text)"))
      var iterator = stream.makeAsyncIterator()
      _ = try await iterator.next()
      var before = -1
      while before != witness.events.count {
        before = witness.events.count
        // That nothing more happens can only be seen by waiting.
        try await Task.sleep(for: .milliseconds(200))
      }
      #expect(before < 400)
      var received = 1
      while try await iterator.next() != nil { received += 1 }
      #expect(received == 1000)
    }
  }

  @Test("a large message passes whole")
  func large() async throws {
    try await with { client, _ in
      let text = String(repeating: "0123456789", count: 300_000)
      let back = try await client.echo(text)
      #expect(back == text)
    }
  }
}
