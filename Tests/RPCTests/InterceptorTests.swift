import RPCInProcess
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
