import Logging
import RPC
import RPCInProcess
import TestWaiting
import Testing

@testable import GatewayCore

@Suite("JSON calls with one message each way", .timeLimit(.minutes(1)))
struct JSONUnaryTests {
  private static let head: HeaderList = [
    ":method": "GET", ":path": "/v1/regions/130300", "x-api-key": TestGateway.partnerKey,
  ]

  /// - Parameter isDirect: Whether the backend is on the callers' loop.
  private static func edge(_ backend: InProcessChannel, isDirect: Bool) throws -> InProcessChannel {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let face = try JSONFace(
      of: TestGateway(backend).gateway, contracts: JSONContracts(), origins: BrowserOrigins([]),
      messageBytesMax: 100, logger: logger)
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [face])
    return isDirect
      ? InProcessChannel(dispatcher, loop: backend.loop, peer: Peer(address: "in-process"))
      : InProcessChannel(dispatcher)
  }

  private static func backend(_ handler: any ExchangeHandler) throws -> InProcessChannel {
    InProcessChannel(Dispatcher(router: try Router(services: []), handlers: [handler]))
  }

  private static func allEnded(_ channel: InProcessChannel) async throws {
    try await eventually { await channel.runningHandlers == 0 }
  }

  @Test("a caller that disconnects cancels its call at the service", arguments: [true, false])
  func givesUp(isDirect: Bool) async throws {
    let hanging = AnyBackend(hangs: true)
    let edge = try Self.edge(try Self.backend(hanging), isDirect: isDirect)
    let exchange = try await edge.openExchange(RequestHead(fields: Self.head))
    await exchange.finish()
    await hanging.opened.reaches(1)
    await exchange.reset()
    await hanging.cancelled.reaches(1)
    try await Self.allEnded(edge)
  }

  @Test(
    "a caller that disconnects before its body is complete makes no call", arguments: [true, false])
  func goesEarly(isDirect: Bool) async throws {
    let backend = AnyBackend()
    let edge = try Self.edge(try Self.backend(backend), isDirect: isDirect)
    var head = Self.head
    head.set(":method", "POST")
    head.set(":path", "/v1/enrollments")
    let exchange = try await edge.openExchange(RequestHead(fields: head))
    try await exchange.send(Array("{".utf8))
    await exchange.reset()
    try await Self.allEnded(edge)
    #expect(backend.opened.value == 0)
  }

  @Test(
    "an invalid response and an error are reported as JSON, and each call ends once",
    arguments: [
      (["grpc-status": "0"], "500"), (["grpc-status": "5", "grpc-message": "no"], "404"),
    ] as [(HeaderList, String)])
  func answers(_ status: HeaderList, _ expected: String) async throws {
    for isDirect in [true, false] {
      var answer: HeaderList = [":status": "200", "content-type": "application/grpc"]
      answer.add(contentsOf: status)
      let edge = try Self.edge(try Self.backend(AnyBackend(answer: answer)), isDirect: isDirect)
      let exchange = try await edge.openExchange(RequestHead(fields: Self.head))
      await exchange.finish()
      #expect(try await exchange.head()[":status"] == expected)
      while try await exchange.nextChunk() != nil {}
      try await Self.allEnded(edge)
    }
  }

  @Test("heads of a connection with the same inner head share its cached results")
  func keptHeads() throws {
    func inner(_ path: String, key: String, after last: RequestHead?) -> (RequestHead, RequestHead)
    {
      var head = RequestHead(
        fields: [":method": "GET", ":path": path, "x-api-key": key, "accept": "*/*"])
      head.memo = HeadMemo(after: last?.memo)
      return (head, InnerCall.head(to: "/a.B/C", like: head))
    }
    let (first, one) = inner("/v1/members/1", key: "k", after: nil)
    let (second, two) = inner("/v1/members/2", key: "k", after: first)
    let (_, three) = inner("/v1/members/2", key: "other", after: second)
    #expect(one.memo != nil && one.memo === two.memo)
    #expect(three.memo != nil && three.memo !== one.memo)
    #expect(one.fields["accept"] == nil && three.fields["x-api-key"] == "other")
  }
}
