import RPCInProcess
import Synchronization
import Testing

@testable import RPC

@Suite("Interceptors and observers of clients", .timeLimit(.minutes(1)))
struct ClientInterceptorTests {
  private struct Note: ClientInterceptor {
    let name: String
    let witness: Witness

    func intercept(_ context: ClientContext, next: () async throws -> Void) async throws {
      witness.note("\(name) in \(context.method.name)")
      context.metadata.add("x-echo", name)
      do {
        try await next()
        witness.note("\(name) ok \(context.responseHeaders?[text: "x-echo"] ?? "-")")
      } catch {
        witness.note("\(name) failed")
        throw error
      }
    }
  }

  private struct Rename: ClientInterceptor {
    func intercept(_ context: ClientContext, next: () async throws -> Void) async throws {
      do {
        try await next()
      } catch let error as RPCError {
        throw RPCError(.dataLoss, "renamed \(error.code.name)")
      }
    }
  }

  private struct Silent: ClientInterceptor {
    func intercept(_ context: ClientContext, next: () async throws -> Void) async throws {}
  }

  private struct Refuse: ClientInterceptor {
    func intercept(_ context: ClientContext, next: () async throws -> Void) async throws {
      throw RPCError(.unauthenticated, "no token")
    }
  }

  private static func channel(
    _ interceptors: [any ClientInterceptor], observer: (any ClientObserver)? = nil,
    witness: Witness = Witness()
  ) throws -> any Channel {
    try InProcessChannel(services: [EchoService(witness: witness)])
      .with(ChannelPolicy(interceptors: interceptors, observer: observer))
  }

  @Test("interceptors run outermost first around a call and see its response")
  func unary() async throws {
    let witness = Witness()
    let channel = try Self.channel([
      Note(name: "a", witness: witness), Note(name: "b", witness: witness),
    ])
    _ = try await channel.echo("x")
    #expect(witness.events == ["a in Unary", "b in Unary", "b ok a", "a ok a"])
  }

  @Test("an interceptor surrounds a stream to its end")
  func stream() async throws {
    let witness = Witness()
    let channel = try Self.channel([Note(name: "a", witness: witness)])
    let stream: ResponseStream<Text> = try await channel.serverStreaming(
      EchoService.repeat, Text("3 x"))
    #expect(witness.events == ["a in Repeat"])
    var count = 0
    for try await _ in stream { count += 1 }
    #expect(count == 3)
    #expect(witness.events == ["a in Repeat", "a ok -"])
  }

  @Test("an interceptor learns that a stream was dropped, and its handler is cancelled")
  func dropped() async throws {
    let (noted, server) = (Witness(), Witness())
    let channel = try Self.channel([Note(name: "a", witness: noted)], witness: server)
    do {
      let call: BidirectionalCall<Text, Text> = try await channel.bidirectionalStreaming(
        EchoService.chat)
      try await call.send("x")
      await server.saw("chatting")
    }
    await noted.saw("a failed")
    await server.saw("chat over")
  }

  @Test("an interceptor's error is the caller's, in calls of every kind")
  func renamed() async throws {
    let channel = try Self.channel([Rename()])
    let unary = await failure { _ = try await channel.call(EchoService.fail, "x") }
    #expect(unary?.message == "renamed FAILED_PRECONDITION")
    let stream: ResponseStream<Text> = try await channel.serverStreaming(
      EchoService.repeat, Text("0 x"))
    #expect(await failure { for try await _ in stream {} }?.message == "renamed NOT_FOUND")
    let chat: BidirectionalCall<Text, Text> = try await channel.bidirectionalStreaming(
      EchoService.chat)
    try await chat.send("bye")
    #expect(
      await failure { for try await _ in chat.responses {} }?.message == "renamed ABORTED")
  }

  @Test("an interceptor may refuse a call; one that neither calls next nor throws fails it")
  func refused() async throws {
    let refusing = try Self.channel([Refuse()])
    #expect(await failure { _ = try await refusing.echo("x") }?.code == .unauthenticated)
    #expect(
      await failure {
        let _: ResponseStream<Text> = try await refusing.serverStreaming(
          EchoService.repeat, Text("1"))
      }?.code == .unauthenticated)
    let silent = try Self.channel([Silent()])
    #expect(await failure { _ = try await silent.echo("x") }?.code == .internalError)
    #expect(
      await failure {
        let _: ClientStreamingCall<Text, Text> = try await silent.clientStreaming(
          EchoService.collect)
      }?.code == .internalError)
  }

  private final class Observer: ClientObserver, ClientCallObserver {
    let witness = Witness()

    func callStarted(_ method: MethodDescriptor) -> any ClientCallObserver {
      witness.note("call \(method.name)")
      return self
    }

    func attemptStarted(_ attempt: Int, metadata: inout Metadata) {
      metadata.add("x-echo", "observed")
      witness.note("attempt \(attempt)")
    }

    func attemptEnded(_ attempt: Int, _ outcome: AttemptOutcome) {
      witness.note(
        "\(attempt) ended \(outcome.error?.code.name ?? "OK") "
          + "\(outcome.sentBytes) \(outcome.receivedBytes)")
    }

    func callEnded(_ error: RPCError?) { witness.note("ended \(error?.code.name ?? "OK")") }
  }

  @Test("an observer sees a call, its attempt and their bytes, and may add metadata")
  func observed() async throws {
    let observer = Observer()
    let channel = try Self.channel([], observer: observer)
    let response = try await channel.call(EchoService.unary, "abc")
    #expect(response.headers[text: "x-echo"] == "observed")
    await observer.witness.saw("1 ended OK 3 3")
    #expect(
      Set(observer.witness.events) == ["call Unary", "attempt 1", "1 ended OK 3 3", "ended OK"])
  }

  @Test("an observer sees each attempt of a retried stream, and its end once")
  func observedRetry() async throws {
    let observer = Observer()
    let service = FlakyService([.fail(.unavailable)])
    let channel = try InProcessChannel(services: [service]).with(
      ChannelPolicy(
        observer: observer,
        serviceConfig: ServiceConfig(methods: [
          MethodConfig(
            names: [.init(service: FlakyService.name)],
            execution: .retry(RetryPolicy(initialBackoff: .milliseconds(1))))
        ])))
    let stream: ResponseStream<Text> = try await channel.serverStreaming(
      FlakyService.repeat, Text("x"))
    for try await _ in stream {}
    await observer.witness.saw("2 ended OK 1 2")
    await observer.witness.saw("1 ended UNAVAILABLE 1 0")
    #expect(observer.witness.events.filter { $0 == "ended OK" }.count == 1)
  }

  @Test("an observer hears of the end of a hedged call once")
  func observedHedge() async throws {
    let observer = Observer()
    let hedging = MethodConfig(names: [.init()], execution: .hedge(HedgingPolicy(attemptsMax: 2)))
    let channel = try InProcessChannel(services: [EchoService()])
      .with(ChannelPolicy(observer: observer, serviceConfig: ServiceConfig(methods: [hedging])))
    #expect(try await channel.call(EchoService.unary, "abc").message == "abc")
    #expect(observer.witness.events.filter { $0.hasPrefix("ended ") } == ["ended OK"])
  }

  /// A channel without a backend.
  private struct Nowhere: Channel {
    func openExchange<Result: Sendable>(
      _ head: RequestHead, options: ExchangeOptions,
      _ body: (ClientExchange) async throws -> Result
    ) async throws -> Result {
      throw RPCError(.unavailable, "nobody is there")
    }
  }

  @Test("an observer hears once of the end of a stream that cannot begin, and why")
  func observedRefusal() async throws {
    let observer = Observer()
    let channel = Nowhere().with(ChannelPolicy(observer: observer))
    let error = await failure {
      let _: ClientStreamingCall<Text, Text> = try await channel.clientStreaming(
        EchoService.collect)
    }
    #expect(error?.code == .unavailable)
    #expect(observer.witness.events.filter { $0.hasPrefix("ended ") } == ["ended UNAVAILABLE"])
  }

  /// A channel that waits for its backend.
  private struct Waiting: Channel {
    func openExchange<Result: Sendable>(
      _ head: RequestHead, options: ExchangeOptions,
      _ body: (ClientExchange) async throws -> Result
    ) async throws -> Result {
      do {
        // Waits until it is cancelled.
        try await Task.sleep(for: .seconds(10))
      } catch {
        throw RPCError(.cancelled, "nobody waits")
      }
      throw RPCError(.unavailable, "nobody came")
    }
  }

  @Test("a stream that a cancelled task begins does not wait for its backend")
  func cancelledBefore() async throws {
    let channel = Waiting().with(
      ChannelPolicy(interceptors: [Note(name: "a", witness: Witness())]))
    let error: RPCError? = await withTaskGroup(of: RPCError?.self) { group in
      group.cancelAll()
      group.addTask {
        await failure {
          let _: ClientStreamingCall<Text, Text> = try await channel.clientStreaming(
            EchoService.collect)
        }
      }
      return await group.next() ?? nil
    }
    #expect(error?.code == .cancelled)
  }
}
