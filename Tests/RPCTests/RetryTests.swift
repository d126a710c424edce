import RPCInProcess
import Synchronization
import TestWaiting
import Testing

@testable import RPC

/// A service whose calls fail according to their number.
final class FlakyService: RPCService {
  /// The behavior of one call.
  enum Turn: Sendable {
    case fail(RPCError.Code, pushback: String? = nil)
    case refuse
    case answer
    /// Waits until it is cancelled.
    case hang
    /// Fails after the initial metadata.
    case failLate(RPCError.Code)
  }

  static let name = "test.Flaky"
  static let unary = MethodDescriptor(service: name, name: "Unary", kind: .unary)
  static let collect = MethodDescriptor(service: name, name: "Collect", kind: .clientStreaming)
  static let `repeat` = MethodDescriptor(service: name, name: "Repeat", kind: .serverStreaming)
  static let chat = MethodDescriptor(service: name, name: "Chat", kind: .bidirectionalStreaming)

  private struct State {
    var turns: [Turn]
    /// `grpc-previous-rpc-attempts` of each attempt; empty without one.
    var previous: [String] = []
  }

  private let state: Mutex<State>
  let witness = Witness()

  init(_ turns: [Turn]) { state = Mutex(State(turns: turns)) }

  /// `grpc-previous-rpc-attempts` of each attempt.
  var previous: [String] { state.withLock { $0.previous } }

  var methods: [MethodHandler] {
    [
      .unary(Self.unary) { (request: Text, context) in
        try await self.take(context)
        return request
      },
      .clientStreaming(Self.collect) { (requests: RequestStream<Text>, context) in
        var all: [String] = []
        for try await request in requests { all.append(request.text) }
        try await self.take(context)
        return Text(all.joined(separator: ","))
      },
      .serverStreaming(Self.repeat) { (request: Text, responses: ResponseWriter<Text>, context) in
        try await self.take(context) { try await responses.send("first") }
        for _ in 0..<2 { try await responses.send(request) }
      },
      .bidirectionalStreaming(Self.chat) {
        (requests: RequestStream<Text>, responses: ResponseWriter<Text>, context) in
        try await self.take(context) { try await responses.send("first") }
        for try await request in requests { try await responses.send(request) }
      },
    ]
  }

  private func take(_ context: ServerContext, begin: () async throws -> Void = {}) async throws {
    let turn = state.withLock { state in
      state.previous.append(context.head.fields["grpc-previous-rpc-attempts"] ?? "")
      return state.turns.isEmpty ? .answer : state.turns.removeFirst()
    }
    switch turn {
    case .answer: return
    case .fail(let code, let pushback):
      var trailers = HeaderList()
      if let pushback { trailers.add("grpc-retry-pushback-ms", pushback) }
      throw RPCError(code, "try again", metadata: Metadata(wire: trailers))
    case .failLate(let code):
      try await begin()
      throw RPCError(code, "too late")
    case .refuse:
      throw RPCError(.unavailable, "refused")
    case .hang:
      witness.note("hanging")
      defer { witness.note("given up") }
      // Waits until it is cancelled.
      try await Task.sleep(for: .seconds(3600))
    }
  }
}

@Suite("Retries and hedges", .timeLimit(.minutes(1)))
struct RetryTests {
  private static let quick = RetryPolicy(
    attemptsMax: 4, initialBackoff: .milliseconds(1), maxBackoff: .milliseconds(2),
    backoffMultiplier: 2, retryableCodes: [.unavailable, .aborted])

  private static func channel(
    _ service: FlakyService, _ execution: MethodConfig.Execution,
    throttling: RetryThrottling? = nil, retryBytesMax: Int = 1 << 20
  ) throws -> any Channel {
    try InProcessChannel(services: [service]).with(
      ChannelPolicy(
        serviceConfig: ServiceConfig(
          methods: [MethodConfig(names: [.init()], execution: execution)],
          retryThrottling: throttling),
        retryBytesMax: retryBytesMax))
  }

  @Test("a unary call is retried, and the server is told how often")
  func unary() async throws {
    let service = FlakyService([.fail(.unavailable), .fail(.aborted)])
    let channel = try Self.channel(service, .retry(Self.quick))
    let response = try await channel.call(FlakyService.unary, "x")
    #expect(response.message == "x")
    #expect(service.previous == ["", "1", "2"])
  }

  @Test("the last failure is the call's")
  func exhausted() async throws {
    let service = FlakyService(Array(repeating: .fail(.unavailable), count: 9))
    let channel = try Self.channel(service, .retry(Self.quick))
    let error = await failure { _ = try await channel.call(FlakyService.unary, "x") }
    #expect(error?.code == .unavailable)
    #expect(error?.isRemote == true)
    #expect(service.previous.count == 4)
  }

  @Test("a non-retryable code ends the call, as does a server that forbids retries")
  func notRetried() async throws {
    for turn in [
      FlakyService.Turn.fail(.internalError), .fail(.unavailable, pushback: "-1"),
      .fail(.unavailable, pushback: "x"),
    ] {
      let service = FlakyService([turn])
      let channel = try Self.channel(service, .retry(Self.quick))
      #expect(await failure { _ = try await channel.call(FlakyService.unary, "x") } != nil)
      #expect(service.previous.count == 1)
    }
  }

  @Test("a handler's pushback reaches the client, once, and takes the form of gRPC")
  func ownPushback() async throws {
    struct Pushing: ServerInterceptor {
      let wait: Duration?
      let calls = Witness()

      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
        calls.note("call")
        if calls.events.count == 1 { throw RPCError(.unavailable, "later").pushingBack(wait) }
        try await next()
      }
    }
    var slow = Self.quick
    slow.initialBackoff = .seconds(3600)
    slow.maxBackoff = .seconds(3600)
    for (wait, count) in [(Duration.zero, 2), (nil, 1)] as [(Duration?, Int)] {
      let pushing = Pushing(wait: wait)
      let channel = try InProcessChannel(
        services: [FlakyService([])], interceptors: [pushing]
      ).with(
        ChannelPolicy(
          serviceConfig: ServiceConfig(methods: [
            MethodConfig(names: [.init()], execution: .retry(slow))
          ])))
      _ = await failure { _ = try await channel.call(FlakyService.unary, "x") }
      #expect(pushing.calls.events.count == count)
    }
    let error = RPCError(.unavailable, "later", metadata: ["a": "1"]).pushingBack(.seconds(1))
    let twice = error.pushingBack(.milliseconds(1500) + .microseconds(700))
    #expect(twice.metadata.list == ["a": "1", "grpc-retry-pushback-ms": "1500"])
    #expect(error.pushingBack(.seconds(1 << 40)).metadata.list.value(at: 1) == "2147483647")
    #expect(error.pushingBack(nil).metadata.list.value(at: 1) == "-1")
  }

  @Test("a server's pushback is the delay")
  func pushback() async throws {
    let service = FlakyService([.fail(.unavailable, pushback: "0")])
    var slow = Self.quick
    slow.initialBackoff = .seconds(3600)
    slow.maxBackoff = .seconds(3600)
    let channel = try Self.channel(service, .retry(slow))
    _ = try await channel.call(FlakyService.unary, "x")
    #expect(service.previous == ["", "1"])
  }

  @Test("the deadline covers all attempts and the delays between them")
  func deadline() async throws {
    let service = FlakyService([.fail(.unavailable)])
    var slow = Self.quick
    slow.initialBackoff = .seconds(3600)
    slow.maxBackoff = .seconds(3600)
    let channel = try Self.channel(service, .retry(slow))
    var options = CallOptions()
    options.timeout = .milliseconds(50)
    for method in [FlakyService.unary] {
      let error = await failure { _ = try await channel.call(method, "x", options: options) }
      #expect(error?.code == .deadlineExceeded)
    }
    let stream: ResponseStream<Text> = try await Self.channel(
      FlakyService([.fail(.unavailable)]), .retry(slow)
    ).serverStreaming(FlakyService.repeat, Text("x"), options: options)
    #expect(await failure { for try await _ in stream {} }?.code == .deadlineExceeded)
  }

  @Test("only a call that succeeds refills the throttle, not one that was only answered")
  func refill() async throws {
    let service = FlakyService([
      .fail(.unavailable), .fail(.unavailable), .failLate(.internalError),
      .failLate(.internalError), .fail(.unavailable),
    ])
    let channel = try Self.channel(
      service, .retry(Self.quick), throttling: RetryThrottling(tokensMax: 4, tokenRatio: 1))
    // Two of four tokens are left.
    #expect(await failure { _ = try await channel.call(FlakyService.unary, "x") } != nil)
    for _ in 0..<2 {
      let stream: ResponseStream<Text> = try await channel.serverStreaming(
        FlakyService.repeat, Text("x"), options: CallOptions())
      #expect(await failure { for try await _ in stream {} }?.code == .internalError)
    }
    #expect(await failure { _ = try await channel.call(FlakyService.unary, "x") } != nil)
    #expect(service.previous.count == 5)
    for _ in 0..<3 {
      let stream: ResponseStream<Text> = try await channel.serverStreaming(
        FlakyService.repeat, Text("x"), options: CallOptions())
      for try await _ in stream {}
    }
    #expect(channel.policy?.throttle?.isOpen == true)
  }

  @Test("a throttle that is less than half full stops retries")
  func throttle() async throws {
    let service = FlakyService(Array(repeating: .fail(.unavailable), count: 9))
    let channel = try Self.channel(
      service, .retry(Self.quick), throttling: RetryThrottling(tokensMax: 4, tokenRatio: 0.1))
    _ = await failure { _ = try await channel.call(FlakyService.unary, "x") }
    #expect(service.previous == ["", "1"])
    _ = await failure { _ = try await channel.call(FlakyService.unary, "x") }
    #expect(service.previous == ["", "1", ""])
  }

  @Test("a request stream is sent again completely")
  func clientStreaming() async throws {
    let service = FlakyService([.fail(.unavailable), .fail(.unavailable)])
    let channel = try Self.channel(service, .retry(Self.quick))
    let call: ClientStreamingCall<Text, Text> = try await channel.clientStreaming(
      FlakyService.collect)
    for text in ["a", "b", "c"] { try await call.send(Text(text)) }
    #expect(try await call.finish().message == "a,b,c")
    #expect(service.previous == ["", "1", "2"])
  }

  @Test("a response stream is retried until its first message")
  func serverStreaming() async throws {
    let service = FlakyService([.fail(.unavailable), .answer, .failLate(.unavailable)])
    let channel = try Self.channel(service, .retry(Self.quick))
    let stream: ResponseStream<Text> = try await channel.serverStreaming(
      FlakyService.repeat, Text("x"))
    var all: [Text] = []
    for try await text in stream { all.append(text) }
    #expect(all == ["x", "x"])
    let late: ResponseStream<Text> = try await channel.serverStreaming(
      FlakyService.repeat, Text("x"))
    var taken: [Text] = []
    let error = await failure { for try await text in late { taken.append(text) } }
    #expect(error?.message == "too late")
    #expect(taken == ["first"])
    #expect(service.previous == ["", "1", ""])
  }

  @Test("a bidirectional stream is retried, with sends before, between and after")
  func bidirectional() async throws {
    let service = FlakyService([.fail(.unavailable), .fail(.aborted)])
    let channel = try Self.channel(service, .retry(Self.quick))
    let call: BidirectionalCall<Text, Text> = try await channel.bidirectionalStreaming(
      FlakyService.chat)
    try await call.send("a")
    var answers = call.responses.makeAsyncIterator()
    #expect(try await answers.next() == "a")
    for text in ["b", "c"] {
      try await call.send(Text(text))
      #expect(try await answers.next() == Text(text))
    }
    try await call.finishSending()
    #expect(try await answers.next() == nil)
    #expect(service.previous == ["", "1", "2"])
  }

  @Test("a request that outgrows the buffer is not sent again")
  func bufferFull() async throws {
    let service = FlakyService([.fail(.unavailable), .fail(.unavailable)])
    let channel = try Self.channel(service, .retry(Self.quick), retryBytesMax: 20)
    #expect(
      await failure {
        _ = try await channel.call(FlakyService.unary, Text(String(repeating: "x", count: 30)))
      } != nil)
    let call: ClientStreamingCall<Text, Text> = try await channel.clientStreaming(
      FlakyService.collect)
    #expect(
      await failure {
        for _ in 0..<10 { try await call.send("0123456789") }
        _ = try await call.finish()
      }?.code == .unavailable)
    #expect(service.previous == ["", ""])
  }

  @Test("a hedge answers for an attempt that hangs, which is cancelled")
  func hedge() async throws {
    for kind in [FlakyService.unary, FlakyService.repeat] {
      let service = FlakyService([.hang])
      let channel = try Self.channel(
        service, .hedge(HedgingPolicy(attemptsMax: 3, hedgingDelay: .milliseconds(1))))
      if kind.kind == .unary {
        #expect(try await channel.call(kind, "x").message == "x")
      } else {
        let stream: ResponseStream<Text> = try await channel.serverStreaming(kind, Text("x"))
        var iterator = stream.makeAsyncIterator()
        #expect(try await iterator.next() == "x")
      }
      await service.witness.saw("given up")
    }
  }

  @Test("a hedge's fatal failure is the call's; non-fatal ones are followed by the next hedge")
  func hedgeFailure() async throws {
    let policy = HedgingPolicy(
      attemptsMax: 3, hedgingDelay: .seconds(3600), nonFatalCodes: [.unavailable])
    let service = FlakyService([.fail(.unavailable), .fail(.unavailable)])
    let channel = try Self.channel(service, .hedge(policy))
    #expect(try await channel.call(FlakyService.unary, "x").message == "x")
    #expect(service.previous == ["", "1", "2"])
    let fatal = FlakyService([.fail(.unavailable), .fail(.internalError)])
    let other = try Self.channel(fatal, .hedge(policy))
    #expect(
      await failure { _ = try await other.call(FlakyService.unary, "x") }?.code == .internalError)
    #expect(fatal.previous == ["", "1"])
  }

  @Test("cancelling a hedged or waiting call cancels its attempts")
  func cancelled() async throws {
    let service = FlakyService([.hang, .hang])
    let channel = try Self.channel(
      service, .hedge(HedgingPolicy(attemptsMax: 2, hedgingDelay: .milliseconds(1))))
    let task = Task { await failure { _ = try await channel.call(FlakyService.unary, "x") } }
    await service.witness.saw("hanging")
    task.cancel()
    #expect(await task.value?.code == .cancelled)
    await service.witness.saw("given up")
  }

  @Test("a server's pushback holds up a hedged call until its deadline, or until it is cancelled")
  func hedgePushback() async throws {
    let policy = HedgingPolicy(
      attemptsMax: 2, hedgingDelay: .seconds(3600), nonFatalCodes: [.unavailable])
    let turn = FlakyService.Turn.fail(.unavailable, pushback: "1000000")
    let channel = try Self.channel(FlakyService([turn]), .hedge(policy))
    var options = CallOptions()
    options.timeout = .milliseconds(50)
    let short = options
    #expect(
      await failure { _ = try await channel.call(FlakyService.unary, "x", options: short) }?.code
        == .deadlineExceeded)
    let service = FlakyService([turn])
    let other = try Self.channel(service, .hedge(policy))
    let stream: ResponseStream<Text> = try await other.serverStreaming(
      FlakyService.repeat, Text("x"))
    let reader = Task { await failure { for try await _ in stream {} } }
    try await eventually { !service.previous.isEmpty }
    stream.cancel()
    #expect(await reader.value?.code == .cancelled)
  }

  @Test("a dropped stream is cancelled between two attempts too")
  func dropped() async throws {
    let service = FlakyService([.fail(.unavailable, pushback: "1000000")])
    let channel = try Self.channel(service, .retry(Self.quick))
    let stream: ResponseStream<Text> = try await channel.serverStreaming(
      FlakyService.repeat, Text("x"))
    let reader = Task { await failure { for try await _ in stream {} } }
    try await eventually { !service.previous.isEmpty }
    stream.cancel()
    #expect(await reader.value?.code == .cancelled)
  }
}
