import RPCInProcess
import TestWaiting
import Testing

@testable import RPC

@Suite("Interceptors and routing")
struct InterceptorTests {
  private enum Caller: ContextKey { typealias Value = String }

  private struct Note: ServerInterceptor {
    let name: String
    let witness: Witness

    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      witness.note("\(name) in")
      defer { witness.note("\(name) out") }
      context[Caller.self] = (context[Caller.self] ?? "") + name
      try await next()
    }
  }

  private struct Deny: ServerInterceptor {
    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      throw RPCError(.permissionDenied, "not you: \(context[Caller.self] ?? "")")
    }
  }

  private struct Rename: ServerInterceptor {
    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      do {
        try await next()
      } catch is CancellationError {
        throw RPCError(.aborted, "renamed")
      }
    }
  }

  @Test("interceptors run outermost first around the handler")
  func order() async throws {
    let witness = Witness()
    let channel = try InProcessChannel(
      services: [EchoService()],
      interceptors: [Note(name: "a", witness: witness), Note(name: "b", witness: witness)])
    _ = try await channel.echo("x")
    #expect(witness.events == ["a in", "b in", "b out", "a out"])
  }

  @Test("an interceptor's error is the call's status, and it sees what others attached")
  func deny() async throws {
    let channel = try InProcessChannel(
      services: [EchoService()], interceptors: [Note(name: "a", witness: Witness()), Deny()])
    let error = await failure { _ = try await channel.echo("malformed") }
    #expect(error?.code == .permissionDenied)
    #expect(error?.message == "not you: a")
  }

  @Test("an interceptor may map a handler's error")
  func map() async throws {
    let channel = try InProcessChannel(services: [EchoService()], interceptors: [Rename()])
    #expect(
      await failure { _ = try await channel.call(EchoService.fail, "cancel") }?.code == .aborted)
  }

  @Test("an interceptor that calls next twice fails the call, not the process")
  func twice() async throws {
    struct Twice: ServerInterceptor {
      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
        try await next()
        try await next()
      }
    }
    try await World.with(.inProcess, interceptors: [Twice()]) { world in
      let unary = await failure { _ = try await world.channel.echo("x") }
      #expect(unary?.message == "an interceptor went on twice")
      let stream = await failure {
        let responses: ResponseStream<Text> = try await world.channel.serverStreaming(
          EchoService.repeat, Text("2"))
        for try await _ in responses {}
      }
      #expect(stream?.code == .internalError)
    }
  }

  @Test("an interceptor that neither goes on nor throws, or hides a failure, is INTERNAL, not OK")
  func silent() async throws {
    struct Silent: ServerInterceptor {
      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {}
    }
    struct Hiding: ServerInterceptor {
      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
        try? await next()
      }
    }
    let text = "an interceptor ended the call without an outcome"
    try await World.with(.inProcess, interceptors: [Silent()]) { world in
      #expect(await failure { _ = try await world.channel.echo("x") }?.message == text)
      let stream = await failure {
        let responses: ResponseStream<Text> = try await world.channel.serverStreaming(
          EchoService.repeat, Text("2"))
        for try await _ in responses {}
      }
      #expect(stream?.code == .internalError)
    }
    try await World.with(.inProcess, interceptors: [Hiding()]) { world in
      let echo = try await world.channel.echo("x")
      #expect(echo == "x")
      #expect(
        await failure { _ = try await world.channel.call(EchoService.fail, "x") }?.message == text)
    }
  }

  /// Notes the outcome that `ServerContext` tells.
  private struct Outcomes: ServerInterceptor {
    let witness: Witness

    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      do {
        try await next()
        witness.note(context.outcome(of: nil)?.code.name ?? "OK")
      } catch {
        witness.note(context.outcome(of: error)?.code.name ?? "OK")
        throw error
      }
    }
  }

  @Test("an interceptor learns the outcome that the caller got", arguments: Carrier.allCases)
  func outcomes(_ carrier: Carrier) async throws {
    /// Ends well, but only when its call has ended.
    struct Stubborn: ServerInterceptor {
      func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
        if context.metadata[text: "stubborn"] == nil { return try await next() }
        do { try await next() } catch is CancellationError {}
      }
    }
    let witness = Witness()
    let outcomes = Outcomes(witness: witness)
    try await World.with(carrier, interceptors: [outcomes, Stubborn()]) { world in
      _ = try await world.channel.echo("x")
      await witness.saw("OK")
      _ = await failure { _ = try await world.channel.call(EchoService.fail, "x") }
      await witness.saw("FAILED_PRECONDITION")
      _ = await failure { _ = try await world.channel.call(EchoService.fail, "foreign") }
      await witness.saw("UNKNOWN")
      /// Begins a call that waits until it is cancelled.
      func begin(_ extra: HeaderList) async throws -> ClientExchange {
        var fields = RequestHead(path: EchoService.wait.path).fields
        fields.add(contentsOf: extra)
        let exchange = try await world.channel.openExchange(RequestHead(fields: fields))
        try await exchange.send([0, 0, 0, 0, 0])
        await exchange.finish()
        return exchange
      }
      let cancelled = try await begin(["stubborn": "yes"])
      await world.witness.saw("started")
      await cancelled.reset()
      await witness.saw("CANCELLED")
      // The server's deadline: a client with one of its own could cancel the call before.
      let late = try await begin(["grpc-timeout": "2S"])
      #expect(try await late.head()["grpc-status"] == "4")
      await witness.saw("DEADLINE_EXCEEDED")
    }
  }

  @Test("two services with the same path are refused at start")
  func duplicates() throws {
    #expect(throws: Router.DuplicateMethod(path: EchoService.unary.path)) {
      try Router(services: [EchoService(), EchoService()])
    }
  }

  @Test("every method of many is found by its path")
  func table() throws {
    struct Many: RPCService {
      var methods: [MethodHandler] {
        (0..<500).map { index in
          .unary(MethodDescriptor(service: "s\(index % 7)", name: "m\(index)", kind: .unary)) {
            (request: Text, _) in request
          }
        }
      }
    }
    let router = try Router(services: [Many()])
    #expect(router.methods.count == 500)
    for method in router.methods {
      let found = router.handler(path: Array(method.path.utf8).span.bytes)
      #expect(found?.descriptor == method)
    }
    #expect(router.handler(path: Array("/s1/m2".utf8).span.bytes) == nil)
    #expect(router.handler(path: Array("".utf8).span.bytes) == nil)
  }
}
