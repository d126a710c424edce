import RPC
import RPCTransport
import Testing

/// Serves `/keys`, redirects from `/moved`, and never answers at `/silent`.
private struct Publisher: ExchangeHandler {
  static let keys = String(repeating: "k", count: 10_000)

  func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

  func serve(_ exchange: ServerExchange) async {
    switch exchange.head.path {
    case "/keys?all=1":
      await exchange.sendHead([":status": "200"])
      try? await exchange.send(Array(Self.keys.utf8))
    case "/moved": await exchange.sendHead([":status": "302", "location": "/keys?all=1"])
    case "/silent": _ = try? await exchange.nextChunk()
    case "/cut": return await exchange.reset(.cancel)
    default: await exchange.sendHead([":status": "404"])
    }
    if exchange.head.path == "/silent" { while !Task.isCancelled { await Task.yield() } }
    await exchange.finish()
  }
}

@Suite("A document of HTTP", .timeLimit(.minutes(1)))
struct DocumentTests {
  private func with(
    tls: ServerTLS? = nil, _ body: (String, EventLoops) async throws -> Void
  ) async throws {
    let dispatcher = Dispatcher(router: try Router(services: []), handlers: [Publisher()])
    try await withServer(dispatcher, tls: tls, allowsHTTP1: true) { _, address, loops in
      try await body("\(tls == nil ? "http" : "https")://\(address)", loops)
    }
  }

  private func reason(_ body: () async throws -> [UInt8]) async -> String? {
    do {
      _ = try await body()
      return nil
    } catch let error as HTTPDocumentError {
      return error.reason
    } catch {
      return "another error: \(error)"
    }
  }

  @Test("a document is fetched unchanged, with its query, up to its limit")
  func whole() async throws {
    try await with { server, loops in
      let document = try HTTPDocument("\(server)/keys?all=1")
      let size = Publisher.keys.utf8.count
      #expect(try await document.get(on: loops, bytesMax: size) == Array(Publisher.keys.utf8))
      #expect(await reason { try await document.get(on: loops, bytesMax: size - 1) } != nil)
    }
  }

  @Test(
    "anything but 200 and a complete body is an error, in time",
    arguments: ["/moved", "/nothing", "/cut", "/silent"])
  func refused(_ path: String) async throws {
    try await with { server, loops in
      let document = try HTTPDocument("\(server)\(path)")
      let reason = await reason {
        try await document.get(
          on: loops, bytesMax: 100_000, within: path == "/silent" ? .milliseconds(50) : .seconds(30)
        )
      }
      switch path {
      case "/moved": #expect(reason == "answered 302 Found")
      case "/nothing": #expect(reason == "answered 404 Not Found")
      case "/silent": #expect(reason == "no answer in time")
      default: #expect(reason?.hasPrefix("another") == false)
      }
    }
  }

  @Test("a server is accepted by its certificate only")
  func trust() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await with(tls: files.server) { server, loops in
      let trusting = try HTTPDocument("\(server)/keys?all=1", trusting: files.client.authorities)
      #expect(try await trusting.get(on: loops, bytesMax: 100_000).count == 10_000)
      let unknown = try HTTPDocument("\(server)/keys?all=1")
      #expect(
        await reason { try await unknown.get(on: loops, bytesMax: 100_000) }?
          .hasPrefix("another") == false)
      let nobody = try HTTPDocument("\(server)/keys", trusting: "/nowhere.pem")
      #expect(
        await reason { try await nobody.get(on: loops, bytesMax: 100_000) }?
          .contains("/nowhere.pem") == true)
    }
  }

  @Test("an unreachable document fails, and so does a cancelled fetch")
  func gone() async throws {
    try await with { server, loops in
      let closed = try HTTPDocument("http://127.0.0.1:1/keys")
      #expect(await reason { try await closed.get(on: loops, bytesMax: 1) } != nil)
      #expect(try await closed.post([1], on: loops) == nil)
      await #expect(throws: HTTPDocumentError.self) {
        let silent = try HTTPDocument("\(server)/silent")
        _ = try await silent.post([1], on: loops, within: .milliseconds(50))
      }
      let silent = try HTTPDocument("\(server)/silent")
      let asked = Task { try await silent.get(on: loops, bytesMax: 1, within: .seconds(600)) }
      asked.cancel()
      await #expect(throws: CancellationError.self) { try await asked.value }
    }
  }

  @Test(
    "an invalid URL is refused",
    arguments: ["", "keys", "ftp://x/keys", "https://", "https://user@x/keys", "http://[::1/"])
  func addresses(_ text: String) {
    #expect(throws: HTTPDocumentError.self) { try HTTPDocument(text) }
  }
}
