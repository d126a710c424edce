import Foundation
import Logging
import RPC
import RPCInProcess
import ServiceKit
import TestWaiting
import Testing

@testable import GatewayCore

/// Bounds on the bodies that the JSON face buffers, and on what it repeats of them.
@Suite("JSON bodies", .timeLimit(.minutes(2)))
struct JSONBodyTests {
  private static let enroll = "/v1/enrollments"

  let world: TestGateway
  let bodies = BodyBudget(bytesMax: 60_000)
  let edge: InProcessChannel

  init() throws { try self.init(bodyMax: .seconds(60)) }

  private init(bodyMax: Duration) throws {
    world = try TestGateway(InProcessChannel(services: [FakeRegistry()]))
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let face = try JSONFace(
      of: world.gateway, contracts: JSONContracts(), origins: BrowserOrigins(),
      messageBytesMax: 4 << 20, bodyMax: bodyMax, bodies: bodies, logger: logger)
    edge = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [world.gateway, face]))
  }

  private func begin(
    _ path: String, _ body: String, as caller: TestCaller, verb: String = "POST",
    statedBytes: Int? = nil
  ) async throws -> ClientExchange {
    var head: HeaderList = [
      ":method": verb, ":path": path, "content-type": "application/json", "accept-language": "en",
    ]
    head.add(contentsOf: caller.metadata.list)
    if let statedBytes { head.add("content-length", String(statedBytes)) }
    let exchange = try await edge.openExchange(RequestHead(fields: head))
    if !body.isEmpty { try? await exchange.send(Array(body.utf8)) }
    return exchange
  }

  private func answer(_ exchange: ClientExchange) async throws -> (head: HeaderList, text: String) {
    let head = try await exchange.head()
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    return (head, String(decoding: bytes, as: UTF8.self))
  }

  private static func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

  @Test("a long body is not read if the caller may not make the call")
  func unproven() async throws {
    for (caller, status, reason) in [
      (TestCaller.nobody, "401", "CALLER_UNPROVEN"), (TestCaller.kiosk, "403", "CALLER_KIND"),
    ] {
      let exchange = try await begin(
        Self.enroll, "{\"application\":{\"personName\":\"\(Self.letters(20_000))", as: caller)
      let (head, text) = try await answer(exchange)
      #expect(head[":status"] == status)
      #expect(text.contains(reason))
    }
    #expect(bodies.held == 0)
  }

  @Test("a long body is served if the caller may make the call", arguments: [1, 50_000])
  func proven(count: Int) async throws {
    let name = Self.letters(count)
    let exchange = try await begin(
      Self.enroll, "{\"application\":{\"personName\":\"\(name)\"}}", as: .partner)
    await exchange.finish()
    #expect(try await answer(exchange).text.contains(name))
    #expect(bodies.held == 0)
  }

  @Test("requests without authentication must be short, as JSON and as gRPC")
  func anonymous() async throws {
    let json = try await begin(
      "/v1/sessions:signIn", "{\"userName\":\"\(Self.letters(20_000))", as: .nobody)
    let (head, text) = try await answer(json)
    #expect(head[":status"] == "413")
    #expect(text.contains("16384"))
    let grpc = try await edge.openExchange(
      RequestHead(path: "/yijia.gateway.v1.SessionsService/SignIn", metadata: [:], timeout: nil))
    try? await grpc.send([0, 0, 0, 0x4f, 0] + [UInt8](repeating: 0, count: 0x4f00))
    await grpc.finish()
    #expect(try await grpc.outcome()?.gatewayReason == "MESSAGE_TOO_LARGE")
  }

  @Test(
    "a body that its head states to be too long is refused before any of it",
    arguments: [
      ("POST", enroll, .partner, 5 << 20, "413", "MESSAGE_TOO_LARGE"),
      (
        "POST", "/yijia.members.v1.MembersService/WatchMemberEvents", .partner, 5 << 20, "413",
        "MESSAGE_TOO_LARGE"
      ),
      ("GET", "/v1/regions/130300", .partner, 1, "400", "INVALID_BODY"),
      ("POST", "/v1/sessions:signIn", .nobody, 20_000, "413", "16384"),
      ("POST", enroll, .kiosk, 20_000, "403", "CALLER_KIND"),
    ] as [(String, String, TestCaller, Int, String, String)])
  func stated(
    verb: String, path: String, caller: TestCaller, bytes: Int, status: String, reason: String
  ) async throws {
    let (head, text) = try await answer(
      try await begin(path, "", as: caller, verb: verb, statedBytes: bytes))
    #expect(head[":status"] == status)
    #expect(text.contains(reason))
  }

  @Test(
    "a body that trickles is refused when its time is over, though bytes keep arriving",
    arguments: [enroll, "/yijia.members.v1.MembersService/WatchMemberEvents"])
  func trickles(path: String) async throws {
    let slow = try JSONBodyTests(bodyMax: .milliseconds(50))
    let exchange = try await slow.begin(path, "{", as: .partner)
    let trickle = Task {
      while !Task.isCancelled {
        try await exchange.send([UInt8(ascii: " ")])
        // Time itself is meant: the bytes must be slow, or too many would be held.
        try await Task.sleep(for: .milliseconds(2))
      }
    }
    let (head, text) = try await slow.answer(exchange)
    trickle.cancel()
    #expect(head[":status"] == "408")
    #expect(text.contains("BODY_TOO_SLOW"))
  }

  @Test("the memory of all bodies together is bounded")
  func budget() async throws {
    let text = "{\"application\":{\"personName\":\"\(Self.letters(40_000))"
    let first = try await begin(Self.enroll, text, as: .partner)
    try await eventually { bodies.held >= 40_000 }
    let (head, refusal) = try await answer(try await begin(Self.enroll, text, as: .partner))
    #expect(head[":status"] == "503")
    #expect(head["retry-after"] == "1")
    #expect(refusal.contains("BODIES_HELD"))
    try await first.send(Array("\"}}".utf8))
    await first.finish()
    #expect(try await answer(first).head[":status"] == "200")
    #expect(bodies.held == 0)
  }

  @Test("an external field name is repeated in part only")
  func echo() async throws {
    let names = (0..<60).map { "\"\($0)\(Self.letters(100 + $0))\":1" }.joined(separator: ",")
    for body in ["{\"\(Self.letters(15_000))\":1}", "{\(names)}"] {
      let exchange = try await begin(Self.enroll, body, as: .nobody)
      await exchange.finish()
      let (head, text) = try await answer(exchange)
      #expect(head[":status"] == "400")
      #expect(text.utf8.count < 64 << 10, "\(text.utf8.count)")
      #expect(!text.contains(Self.letters(300)))
    }
  }

  @Test("the face's own refusals are logged, without the query")
  func record() async throws {
    for (verb, path, body, reason) in [
      ("POST", Self.enroll, "{", "INVALID_FIELDS"),
      ("GET", "/v1/nothing?phone=13800138000", "", "ROUTE_UNKNOWN"),
      ("DELETE", Self.enroll, "", "VERB_NOT_ALLOWED"),
    ] {
      let before = world.lines.value.count
      let exchange = try await begin(path, body, as: .partner, verb: verb)
      await exchange.finish()
      let head = try await answer(exchange).head
      if reason == "VERB_NOT_ALLOWED" {
        #expect(head[":status"] == "405")
        #expect(head["allow"]?.contains("POST") == true)
      }
      try await eventually { world.lines.value.count != before }
      let line = try #require(world.lines.value.last)
      #expect(line.contains("\"\(reason)\""), "\(line)")
      #expect(!line.contains("13800138000"))
    }
    #expect(
      world.lines.value.first?.contains("/yijia.members.v1.MembersService/SubmitEnrollment") == true
    )
  }
}
