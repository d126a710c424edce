import RPC
import Testing

@Suite("Calls over every transport")
struct CallTests {
  @Test("a unary call returns its response", arguments: Carrier.allCases)
  func unary(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let hello = try await world.channel.echo("hello")
      #expect(hello == "hello")
      let empty = try await world.channel.echo("")
      #expect(empty.isEmpty)
    }
  }

  @Test("a request stream arrives completely and in order", arguments: Carrier.allCases)
  func clientStreaming(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let call: ClientStreamingCall<Text, Text> = try await world.channel.clientStreaming(
        EchoService.collect)
      for index in 0..<100 { try await call.send(Text("\(index)")) }
      let response = try await call.finish()
      #expect(response.message.text == (0..<100).map { "\($0)" }.joined(separator: ","))
    }
  }

  @Test("a response stream arrives completely and in order", arguments: Carrier.allCases)
  func serverStreaming(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let responses: ResponseStream<Text> = try await world.channel.serverStreaming(
        EchoService.repeat, Text("100"))
      var texts: [String] = []
      for try await response in responses { texts.append(response.text) }
      #expect(texts == (0..<100).map { "\($0)" })
      #expect(try await responses.trailers.isEmpty)
    }
  }

  @Test("bidirectional streams take turns", arguments: Carrier.allCases)
  func bidirectional(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let call: BidirectionalCall<Text, Text> = try await world.channel.bidirectionalStreaming(
        EchoService.chat)
      var responses = call.responses.makeAsyncIterator()
      for index in 0..<10 {
        try await call.send(Text("\(index)"))
        #expect(try await responses.next()?.text == "re: \(index)")
      }
      try await call.finishSending()
      #expect(try await responses.next() == nil)
    }
  }

  @Test("initial metadata may be sent before the first message", arguments: Carrier.allCases)
  func earlyHeaders(_ carrier: Carrier) async throws {
    struct Greeter: RPCService {
      static let greet = MethodDescriptor(
        service: "test.Greeter", name: "Greet", kind: .bidirectionalStreaming)

      var methods: [MethodHandler] {
        let greet:
          @Sendable (
            RequestStream<Text>, ResponseWriter<Text>, ServerContext
          ) async throws -> Void = { requests, responses, context in
            context.responseHeaders.add("x-early", "1")
            await responses.sendHeaders()
            for try await request in requests { try await responses.send(request) }
          }
        return [.bidirectionalStreaming(Self.greet, greet)]
      }
    }
    try await World.with(carrier, services: [Greeter()]) { world in
      let call: BidirectionalCall<Text, Text> = try await world.channel.bidirectionalStreaming(
        Greeter.greet)
      // No message has been sent yet that could be answered.
      #expect(try await call.responses.headers[text: "x-early"] == "1")
      try await call.send("x")
      try await call.finishSending()
      var responses = call.responses.makeAsyncIterator()
      #expect(try await responses.next()?.text == "x")
      #expect(try await responses.next() == nil)
    }
  }

  @Test("a response without messages is an empty stream", arguments: Carrier.allCases)
  func emptyStream(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let responses: ResponseStream<Text> = try await world.channel.serverStreaming(
        EchoService.repeat, Text("0"))
      for try await _ in responses { Issue.record("there should be no message") }
    }
  }

  @Test("metadata is transmitted both ways, text and binary", arguments: Carrier.allCases)
  func metadata(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      var options = CallOptions()
      options.metadata = ["x-echo": "text", "x-echo-bin": .binary([0, 255, 10])]
      let response: ClientResponse<Text> = try await world.channel.unary(
        EchoService.unary, Text("hello"), options: options)
      #expect(response.headers[text: "x-echo"] == "text")
      #expect(response.trailers[binary: "x-echo-bin"] == [0, 255, 10])
    }
  }

  @Test("a status has code, message, details and metadata", arguments: Carrier.allCases)
  func status(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let error = await failure {
        _ = try await world.channel.call(EchoService.fail, "tabs\tand 汉字 % \u{1F600}")
      }
      #expect(error?.code == .failedPrecondition)
      #expect(error?.message == "tabs\tand 汉字 % \u{1F600}")
      #expect(error?.details == [8, 9, 10])
      #expect(error?.metadata[text: "x-why"] == "because")
      #expect(error?.isRemote == true)
    }
  }

  @Test(
    "spaces at the ends of a message arrive, those of metadata are left out",
    arguments: Carrier.allCases)
  func spaces(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let error = await failure {
        _ = try await world.channel.call(EchoService.fail, " no such person: ")
      }
      #expect(error?.code == .failedPrecondition)
      #expect(error?.message == " no such person: ")
      var options = CallOptions()
      options.metadata = ["x-echo": " a b "]
      let response: ClientResponse<Text> = try await world.channel.unary(
        EchoService.unary, Text("hello"), options: options)
      #expect(response.headers[text: "x-echo"] == "a b")
    }
  }

  @Test("a foreign error is UNKNOWN and its text is not sent", arguments: Carrier.allCases)
  func foreignError(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let error = await failure {
        _ = try await world.channel.call(EchoService.fail, "foreign")
      }
      #expect(error?.code == .unknown)
      #expect(error?.message.contains("secret") == false)
    }
  }

  @Test("a handler's CancellationError is CANCELLED", arguments: Carrier.allCases)
  func cancellationError(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let error = await failure {
        _ = try await world.channel.call(EchoService.fail, "cancel")
      }
      #expect(error?.code == .cancelled)
    }
  }

  @Test("unknown methods and services are UNIMPLEMENTED", arguments: Carrier.allCases)
  func unimplemented(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      for (service, method) in [(EchoService.name, "Nope"), ("test.Nope", "Unary")] {
        let descriptor = MethodDescriptor(service: service, name: method, kind: .unary)
        let error = await failure {
          _ = try await world.channel.call(descriptor, "x")
        }
        #expect(error?.code == .unimplemented)
      }
    }
  }

  @Test("a message that cannot be decoded is INTERNAL", arguments: Carrier.allCases)
  func malformed(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let error = await failure { _ = try await world.channel.echo("malformed") }
      #expect(error?.code == .internalError)
    }
  }

  @Test("a request over the limit is RESOURCE_EXHAUSTED", arguments: Carrier.allCases)
  func oversizeRequest(_ carrier: Carrier) async throws {
    var limits = CallLimits()
    limits.messageBytesMax = 1000
    try await World.with(carrier, limits: limits) { world in
      let whole = try await world.channel.echo(String(repeating: "x", count: 1000))
      #expect(whole.count == 1000)
      let error = await failure {
        _ = try await world.channel.echo(String(repeating: "x", count: 1001))
      }
      #expect(error?.code == .resourceExhausted)
      let call: ClientStreamingCall<Text, Text> = try await world.channel.clientStreaming(
        EchoService.collect)
      let streamed = await failure {
        try await call.send(Text(String(repeating: "x", count: 1001)))
        _ = try await call.finish()
      }
      #expect(streamed?.code == .resourceExhausted)
    }
  }

  @Test("a response over the client's limit is RESOURCE_EXHAUSTED", arguments: Carrier.allCases)
  func oversizeResponse(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      var options = CallOptions()
      options.messageBytesMax = 10
      let error = await failure {
        _ = try await world.channel.echo("12345678901", options: options)
      }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.isRemote == false)
    }
  }

  @Test("messages larger than all windows pass", arguments: Carrier.allCases)
  func largeMessages(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      let text = String(repeating: "0123456789", count: 300_000)
      let back = try await world.channel.echo(text)
      #expect(back == text)
    }
  }

  @Test("many concurrent calls each get their own response", arguments: Carrier.allCases)
  func concurrent(_ carrier: Carrier) async throws {
    try await World.with(carrier) { world in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for index in 0..<500 {
          group.addTask { try await world.channel.echo("\(index)") == "\(index)" }
        }
        for try await isRight in group { #expect(isRight) }
      }
    }
  }
}
