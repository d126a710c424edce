import NIOCore
import NIOPosix
import RPC
import RPCTransport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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
      #expect(await isUnsent { try await closed.post([1], on: loops) } == true)
      let post = HTTPDocument.poster(loops)
      await #expect(throws: HTTPDocumentError.self) {
        try await post("http://127.0.0.1:1/keys", nil, [], [1], .seconds(10)).get()
      }
      await #expect(throws: HTTPDocumentError.self) {
        _ = try await post("\(server)/cut", nil, [], [1], .seconds(10))
      }
      let cutting = try HTTPDocument("\(server)/cut")
      #expect(await isUnsent { try await cutting.post([1], on: loops) } == false)
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

  /// Whether nothing was sent; nil where there was no error of a document.
  private func isUnsent(_ body: () async throws -> Int) async -> Bool? {
    do {
      _ = try await body()
      return nil
    } catch {
      return (error as? HTTPDocumentError)?.isUnsent
    }
  }

  @Test("to a server that does not take connections nothing was sent, however that is noticed")
  func dropped() async throws {
    let full = try FullListener()
    defer { withExtendedLifetime(full) {} }
    let loops = EventLoops(threads: 1)
    for scheme in ["http", "https"] {
      let document = try HTTPDocument("\(scheme)://127.0.0.1:\(full.port)/codes")
      let limit = Duration.milliseconds(100)
      #expect(await isUnsent { try await document.post([1], on: loops, within: limit) } == true)
    }
    try await loops.shutdown()
  }

  @Test("over TLS nothing is sent before the handshake is complete")
  func unproven() async throws {
    let mute = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(mute.localAddress?.port)
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await with(tls: files.server) { server, loops in
      let trusting = try HTTPDocument("\(server)/nothing", trusting: files.client.authorities)
      #expect(try await trusting.post([1], on: loops) == 404)
      let distrusting = try HTTPDocument("\(server)/nothing")
      #expect(await isUnsent { try await distrusting.post([1], on: loops) } == true)
      let nobody = try HTTPDocument("\(server)/nothing", trusting: "/nowhere.pem")
      #expect(await isUnsent { try await nobody.post([1], on: loops) } == true)
      let silent = try HTTPDocument("https://127.0.0.1:\(port)/")
      let limit = Duration.milliseconds(100)
      #expect(await isUnsent { try await silent.post([1], on: loops, within: limit) } == true)
    }
    try await mute.close()
  }

  @Test("an error names the URL without what may be secret")
  func secrets() async throws {
    let loops = EventLoops(threads: 1)
    let closed = try HTTPDocument("http://127.0.0.1:1/codes?access_token=5up3r#s3cr3t")
    let error = await #expect(throws: HTTPDocumentError.self) {
      try await closed.get(on: loops, bytesMax: 1)
    }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("http://127.0.0.1:1/codes: ") && text.hasSuffix(", nothing was sent"))
    try await loops.shutdown()
    for (url, shown) in [
      ("https://user:5up3r@x/a@b?s3cr3t", "https://x/a@b"), ("https://user@x", "https://x"),
      ("ftp://x/a?5up3r=s3cr3t", "ftp://x/a"), ("x?5up3r", "x"), ("", ""),
    ] {
      let error = #expect(throws: HTTPDocumentError.self) { try HTTPDocument(url) }
      #expect(error?.url == shown)
    }
  }

  @Test(
    "an invalid URL is refused",
    arguments: ["", "keys", "ftp://x/keys", "https://", "https://user@x/keys", "http://[::1/"])
  func addresses(_ text: String) {
    #expect(throws: HTTPDocumentError.self) { try HTTPDocument(text) }
  }
}

/// A listener whose queue of connections is full, so that the system drops further ones silently,
/// as the network does for a machine that is down.
private final class FullListener: Sendable {
  let port: Int
  private let sockets: [Int32]

  init() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 0) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    try #require(isListening)
    port = Int(UInt16(bigEndian: address.sin_port))
    // Without a backlog one connection waits to be accepted; the others find no room.
    var sockets = [listener]
    for _ in 0..<4 {
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      sockets.append(client)
      _ = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, length) }
      }
    }
    self.sockets = sockets
  }

  deinit { for socket in sockets { close(socket) } }
}
