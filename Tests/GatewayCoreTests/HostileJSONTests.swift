import Foundation
import Logging
import RPC
import RPCInProcess
import RPCTransport
import Testing

@testable import GatewayCore

/// The JSON port against malicious clients, over real sockets, in plaintext and over TLS.
@Suite("Hostile JSON clients", .timeLimit(.minutes(5)))
struct HostileJSONTests {
  private static let bytesMax = 64 << 10
  private static let key = "x-api-key: \(TestGateway.partnerKey)\r\n"
  private static let post = "POST /v1/enrollments HTTP/1.1\r\nHost: a\r\n\(key)"
  private static let good = "{\"application\":{\"personName\":\"张三\"}}"

  /// Whether the connection uses TLS.
  private static let carriers = [false, true]

  private let loopback = Loopback()

  /// Runs with the address of a gateway in front of a registry; checks that a well-behaved caller
  /// is served meanwhile and afterwards.
  private func withEdge(
    _ isTLS: Bool, bodyMax: Duration = .seconds(60), _ body: (HostPort) async throws -> Void
  ) async throws {
    let gateway = try TestGateway(InProcessChannel(services: [FakeRegistry()])).gateway
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let face = try JSONFace(
      of: gateway, contracts: JSONContracts(), origins: BrowserOrigins(),
      messageBytesMax: Self.bytesMax, bodyMax: bodyMax, logger: quiet)
    let identity = isTLS ? try TestIdentity() : nil
    let (server, address) = try await loopback.serve(
      handlers: [gateway, face], tls: identity?.server)
    try await body(address)
    #expect(try await ask(Self.whole(Self.good), address, isTLS).contains(#""name":"张三""#))
    await server.shutdown(grace: .zero)
  }

  private func ask(_ text: String, _ address: HostPort, _ isTLS: Bool) async throws -> String {
    try await speak([Array(text.utf8)], to: address, isTLS: isTLS)
  }

  private static func whole(_ body: String) -> String {
    "\(post)Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private static let hidden = "GET /v1/regions/110000?hidden HTTP/1.1\r\nHost: a\r\n\r\n"
  private static let smuggled = [
    // A length and a transfer coding: a parser that follows the one sees another request than a
    // parser that follows the other.
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\(hidden)",
    "Transfer-Encoding: chunked\r\nContent-Length: 200\r\n\r\n0\r\n\r\n\(hidden)",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n\(hidden)",
    "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n\(hidden)",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\(hidden)",
    "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n\(hidden)",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n\(hidden)",
    "Content-Length: 0\r\nContent-Length: 5\r\n\r\n\(hidden)",
    "Content-Length: 0, 5\r\n\r\n\(hidden)",
    "Content-Length: +0\r\n\r\n\(hidden)",
    "Content-Length: 0x5\r\n\r\n\(hidden)",
    "Content-Length: 99999999999999999999\r\n\r\n\(hidden)",
    "X: a\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n\(hidden)",
    "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n\(hidden)",
    "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n\(hidden)",
    "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n\(hidden)",
  ]

  @Test(
    "an ambiguous request does not smuggle a second one", arguments: smuggled, carriers)
  func smuggling(_ rest: String, isTLS: Bool) async throws {
    try await withEdge(isTLS) { address in
      let answer = try await ask(Self.post + rest, address, isTLS)
      let count = answer.components(separatedBy: "HTTP/1.1 ").count - 1
      #expect(count <= 1, "two answers: \(answer)")
      #expect(!answer.contains("200 OK"), "\(answer)")
      #expect(!answer.contains("CALLER_UNPROVEN"), "the hidden request was answered: \(answer)")
    }
  }

  @Test(
    "a body beyond the limit is refused before it is read completely", arguments: [false, true],
    carriers
  )
  func oversized(isChunked: Bool, isTLS: Bool) async throws {
    try await withEdge(isTLS) { address in
      let piece = [UInt8](repeating: UInt8(ascii: " "), count: 32 << 10)
      let head =
        isChunked
        ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: \(1 << 40)\r\n\r\n"
      let framed =
        isChunked ? Array("8000\r\n".utf8) + piece + Array("\r\n".utf8) : piece
      let answer = try await speak(
        [Array((Self.post + head).utf8)] + Array(repeating: framed, count: 16), to: address,
        isTLS: isTLS)
      #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
      #expect(answer.contains("MESSAGE_TOO_LARGE"))
      #expect(answer.lowercased().contains("connection: close"))
    }
  }

  @Test("a body whose head states too much is refused before any of it", arguments: carriers)
  func stated(isTLS: Bool) async throws {
    try await withEdge(isTLS) { address in
      let head =
        "\(Self.post)Expect: 100-continue\r\nContent-Length: \(Self.bytesMax + 1)\r\n\r\n"
      let answer = try await speak([Array(head.utf8)], to: address, isTLS: isTLS) {
        $0.contains("MESSAGE_TOO_LARGE")
      }
      #expect(answer.hasPrefix("HTTP/1.1 413 "), "not 100 Continue: \(answer)")
    }
  }

  @Test(
    "a body that takes too long is refused with 408, even if bytes keep arriving",
    arguments: carriers)
  func slow(isTLS: Bool) async throws {
    try await withEdge(isTLS, bodyMax: .milliseconds(50)) { address in
      let answer = try await ask(
        "\(Self.post)Connection: close\r\nContent-Length: 1000\r\n\r\n{", address, isTLS)
      #expect(answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
      #expect(answer.contains("BODY_TOO_SLOW"))
    }
  }

  private static let wrong = [
    "", "{", "nul", "[]", "\"x\"", "{\"application\":}", "{\"a\":1,}", "{'a':1}", "\u{0}", "{}{}",
    "{\"application\":{\"personName\":\"\\ud800\"}}", "{\"application\":1e999999}",
    "{\"application\":{\"personName\":\"a\",\"personName\":\"b\"}}",
    "{\"application\":{\"group\":99999999999999999999}}", "// no\n{}", "NaN",
  ]

  @Test("invalid JSON is refused with the error", arguments: wrong.dropFirst(), carriers)
  func malformed(_ body: String, isTLS: Bool) async throws {
    try await withEdge(isTLS) { address in
      let answer = try await ask(Self.whole(body), address, isTLS)
      #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
      #expect(answer.contains("INVALID_FIELDS"))
    }
  }

  private static let deep = [
    String(repeating: "[", count: 60_000), String(repeating: "{\"application\":", count: 4_000),
    String(repeating: "{\"x\":[", count: 8_000),
    "{\"application\":" + String(repeating: "{\"a\":", count: 10_000)
      + String(repeating: "}", count: 10_001),
  ]

  @Test("deeply nested JSON is refused, and does not exhaust the stack", arguments: deep, carriers)
  func depth(_ body: String, isTLS: Bool) async throws {
    try await withEdge(isTLS) { address in
      let answer = try await ask(Self.whole(body), address, isTLS)
      #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer.prefix(300))")
      #expect(answer.utf8.count < 8 << 10, "the answer does not repeat it")
    }
  }

  @Test(
    "a thousand errors are reported in a response that does not exceed the request",
    arguments: carriers
  )
  func manyWrong(isTLS: Bool) async throws {
    let fields = (0..<5_000).map { "\"x\($0)\":1" }.joined(separator: ",")
    try await withEdge(isTLS) { address in
      let answer = try await ask(Self.whole("{\(fields)}"), address, isTLS)
      #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer.prefix(300))")
      #expect(answer.utf8.count < 64 << 10, "\(answer.utf8.count) bytes")
    }
  }

  private static let targets = [
    "/v1/members/%", "/v1/members/%zz", "/v1/members/%00", "/v1/members/%c0%af", "//", "/v1//x",
    "/v1/members/../../etc", "/v1/members/%2e%2e%2f", "/v1/members?%", "/v1/members?=&=",
    "/v1/members?pageSize=" + String(repeating: "9", count: 10_000),
    "/" + String(repeating: "a/", count: 5_000), "/v1/" + String(repeating: ":", count: 5_000),
    "/v1/members?" + String(repeating: "groups=1&", count: 1_500),
    "/v1/members?" + String(repeating: "a.", count: 5_000) + "=1",
  ]

  @Test("a target of any form gets a defined status, never 500", arguments: targets, carriers)
  func target(_ target: String, isTLS: Bool) async throws {
    try await withEdge(isTLS) { address in
      let token = TestGateway.tokens["administrator"] ?? ""
      let answer = try await ask(
        "GET \(target) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
          + "Connection: close\r\n\r\n", address, isTLS)
      let status = answer.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      #expect((200..<500).contains(status), "\(answer.prefix(300))")
      #expect(answer.utf8.count < 64 << 10)
    }
  }
}
