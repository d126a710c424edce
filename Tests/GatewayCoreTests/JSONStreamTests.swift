import Logging
import MembersV1
import RPC
import RPCInProcess
import TestWaiting
import Testing

@testable import GatewayCore

/// Response streams and large responses as JSON callers get them.
@Suite("JSON response streams", .timeLimit(.minutes(1)))
struct JSONStreamTests {
  private static let feed = "/v1/members:watchEvents"
  private static let quick = JSONPace(headMax: .milliseconds(20), silenceMax: .milliseconds(20))
  /// Nothing is sent on account of time.
  private static let patient = JSONPace(headMax: .seconds(3_600))

  private static func edge(
    _ backend: any ExchangeHandler, pace: JSONPace = patient
  ) throws -> InProcessChannel {
    try logged(backend, pace: pace).edge
  }

  /// Returns an edge before the backend, and the lines of its access log.
  private static func logged(
    _ backend: any ExchangeHandler, pace: JSONPace = patient
  ) throws -> (edge: InProcessChannel, lines: Shared<[String]>) {
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let channel = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let gateway = try TestGateway(channel)
    let face = try JSONFace(
      of: gateway.gateway, contracts: JSONContracts(), origins: BrowserOrigins(),
      messageBytesMax: 1_000, bodies: .process, pace: pace, logger: quiet)
    let edge = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [face]), loop: channel.loop,
      peer: Peer(address: "in-process"))
    return (edge, gateway.lines)
  }

  private static func begin(
    _ path: String, _ edge: InProcessChannel, verb: String = "GET",
    _ fields: HeaderList = ["accept": "text/event-stream"]
  ) async throws -> ClientExchange {
    var head: HeaderList = [
      ":method": verb, ":path": path, "x-api-key": TestGateway.partnerKey,
    ]
    head.add(contentsOf: fields)
    let exchange = try await edge.openExchange(RequestHead(fields: head))
    if verb != "POST" { await exchange.finish() }
    return exchange
  }

  private static func text(_ exchange: ClientExchange) async throws -> String {
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("the head of a silent stream is sent soon, and events have comments between them")
  func silence() async throws {
    let edge = try Self.edge(AnyBackend(hangs: true), pace: Self.quick)
    let exchange = try await Self.begin(Self.feed, edge)
    let head = try await exchange.head()
    #expect(head[":status"] == "200")
    #expect(head["content-type"] == "text/event-stream")
    let comment = ": keep-alive\n\n"
    var text = ""
    while text.count < 3 * comment.count {
      text += String(decoding: try #require(try await exchange.nextChunk()), as: UTF8.self)
    }
    #expect(text == String(repeating: comment, count: text.count / comment.count))
    await exchange.reset()
    // Lines have no comments.
    let lines = try await Self.begin(Self.feed, edge, verb: "GET", [:])
    #expect(try await lines.head()[":status"] == "200")
    await lines.reset()
  }

  @Test("the head is not due before the service has the first message")
  func firstLine() async throws {
    let path = "/yijia.members.v1.MembersService/EnrollMembers"
    let edge = try Self.edge(AnyBackend(hangs: true), pace: Self.quick)
    let lines: HeaderList = ["content-type": "application/x-ndjson", "accept-language": "en"]
    let wrong = try await Self.begin(path, edge, verb: "POST", lines)
    // Several times the pace: there is nothing to wait for but silence.
    try await Task.sleep(for: .milliseconds(200))
    try await wrong.send(Array("\n{\n".utf8))
    #expect(try await wrong.head()[":status"] == "400")
    #expect(try await Self.text(wrong).contains("line 2"))
    for request in ["{}\n", ""] {
      let right = try await Self.begin(path, edge, verb: "POST", lines)
      if request.isEmpty { await right.finish() }
      if !request.isEmpty { try await right.send(Array(request.utf8)) }
      #expect(try await right.head()[":status"] == "200")
      await right.reset()
    }
  }

  @Test("a refused stream has its status")
  func refused() async throws {
    var answer: HeaderList = [":status": "200", "content-type": "application/grpc"]
    answer.add(contentsOf: ["grpc-status": "7", "grpc-message": "no"])
    let exchange = try await Self.begin(Self.feed, try Self.edge(AnyBackend(answer: answer)))
    #expect(try await exchange.head()[":status"] == "403")
  }

  /// A feed of one event, whose cursor is that of the request and a mark.
  private struct Feed: MembersServiceProtocol {
    func watchMemberEvents(
      _ request: WatchMemberEventsRequest, responses: ResponseWriter<WatchMemberEventsResponse>,
      context: ServerContext
    ) async throws {
      var response = WatchMemberEventsResponse()
      response.cursor = request.cursor + "+"
      try await responses.send(response)
    }
  }

  @Test("events have the cursor as their id, and a browser resumes behind the last one")
  func cursors() async throws {
    let channel = try InProcessChannel(services: [Feed()])
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let gateway = try TestGateway(channel)
    let face = try JSONFace(
      of: gateway.gateway, contracts: JSONContracts(), origins: BrowserOrigins(),
      messageBytesMax: 1_000, logger: quiet)
    let edge = InProcessChannel(Dispatcher(router: try Router(services: []), handlers: [face]))
    let first = try await Self.begin("\(Self.feed)?cursor=a", edge)
    #expect(try await Self.text(first) == "id: a+\ndata: {\"cursor\":\"a+\"}\n\n")
    let next = try await Self.begin(
      "\(Self.feed)?cursor=a", edge, ["accept": "text/event-stream", "last-event-id": "b"])
    #expect(try await Self.text(next).hasPrefix("id: b+\n"))
  }

  @Test("HEAD has the fields of GET and no body; of a stream, it makes no call")
  func heads() async throws {
    let backend = AnyBackend(hangs: true)
    let edge = try Self.edge(backend)
    let stream = try await Self.begin(Self.feed, edge, verb: "HEAD")
    #expect(try await stream.head()["content-type"] == "text/event-stream")
    #expect(try await stream.nextChunk() == nil)
    #expect(backend.opened.value == 0)
  }

  /// Answers with one message of 900 MiB, as fast as it is taken.
  private struct Flood: ExchangeHandler {
    static let bytes = 900 << 20
    let sent = Counter()
    let ended = Counter()

    func claims(_ head: RequestHead) -> Bool { true }

    func serve(_ exchange: ServerExchange) async {
      await exchange.sendHead([":status": "200", "content-type": "application/grpc"])
      let length = (0..<4).map { UInt8(truncatingIfNeeded: Self.bytes >> (24 - 8 * $0)) }
      try? await exchange.send([0] + length)
      let chunk = [UInt8](repeating: 0, count: 64 << 10)
      for _ in 0..<(Self.bytes / chunk.count) {
        guard (try? await exchange.send(chunk)) != nil else { break }
        sent.add()
      }
      ended.add()
    }
  }

  @Test(
    "a response beyond the limit is refused and not buffered",
    arguments: ["/v1/regions/130300", feed])
  func flood(path: String) async throws {
    let flood = Flood()
    let (edge, lines) = try Self.logged(flood)
    let exchange = try await Self.begin(path, edge, ["accept-language": "en"])
    let head = try await exchange.head()
    let text = try await Self.text(exchange)
    #expect(text.contains("\"code\":8"), "\(text)")
    if path != Self.feed {
      #expect(head[":status"] == "500")
      #expect(text.contains("RESPONSE_TOO_LARGE"))
    }
    await flood.ended.reaches(1)
    try await eventually { !lines.value.isEmpty }
    #expect(lines.value[0].contains("\"code\":\"RESOURCE_EXHAUSTED\""), "\(lines.value)")
    // Twice the limit of 4 MiB, in chunks of 64 KiB.
    #expect(flood.sent.value < 128, "\(flood.sent.value) chunks were taken")
  }
}
