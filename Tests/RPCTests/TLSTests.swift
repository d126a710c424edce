import NIOCore
import NIOPosix
import NIOSSL
import RPC
import RPCTransport
import Testing

@Suite("TLS", .timeLimit(.minutes(1)))
struct TLSTests {
  private func with(
    server: ServerTLS, client: ClientTLS, _ body: (ClientChannel) async throws -> Void
  ) async throws {
    try await withServer(try echoDispatcher(), tls: server) { server, address, loops in
      let channel = try ClientChannel(targets: [address], tls: client, loops: loops)
      do {
        try await body(channel)
      } catch {
        await channel.shutdown()
        throw error
      }
      await channel.shutdown()
    }
  }

  @Test("with mutual TLS each side sees the other's URI")
  func mutual() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await with(server: files.mutualServer, client: files.mutualClient) { channel in
      let uri = try await channel.echo("who")
      #expect(uri == TestCertificates.clientURI)
    }
  }

  @Test("without a client certificate there are no URIs")
  func oneSided() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await with(server: files.server, client: files.client) { channel in
      let uri = try await channel.echo("who")
      #expect(uri.isEmpty)
    }
  }

  @Test("a client without a certificate is refused by mutual TLS")
  func missingCertificate() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await with(server: files.mutualServer, client: files.client) { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    }
  }

  @Test("certificates of another authority are refused by both sides")
  func foreignAuthority() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    let foreign = try TestCertificates()
    defer { withExtendedLifetime(foreign) {} }
    try await with(server: files.mutualServer, client: foreign.mutualClient) { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    }
    var client = files.mutualClient
    client.identity = foreign.mutualClient.identity
    try await with(server: files.mutualServer, client: client) { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    }
  }

  @Test("a server with another name is refused")
  func wrongName() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    var byURI = files.mutualClient
    byURI.serverName = .uri("spiffe://yijia/other")
    var byHost = files.client
    byHost.serverName = .host("example.org")
    for client in [byURI, byHost] {
      try await with(server: files.namedServer, client: client) { channel in
        #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
      }
    }
    byHost.serverName = .host("localhost")
    try await with(server: files.namedServer, client: byHost) { channel in
      let echo = try await channel.echo("x")
      #expect(echo == "x")
    }
  }

  @Test("an expired certificate is refused, and the error does not blame its authority alone")
  func expired() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await with(server: files.expiredServer, client: files.client) { channel in
      let error = await failure { _ = try await channel.echo("x") }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("not valid today") == true)
    }
  }

  @Test("a plaintext client of a TLS server fails, and vice versa")
  func mixed() async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await withServer(try echoDispatcher(), tls: files.server) { _, address, loops in
      let channel = try ClientChannel(targets: [address], loops: loops)
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
      await channel.shutdown()
    }
    try await withServer(try echoDispatcher()) { _, address, loops in
      let channel = try ClientChannel(targets: [address], tls: files.client, loops: loops)
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
      await channel.shutdown()
    }
  }

  @Test("TLS without ALPN h2 is closed", arguments: [[], ["http/1.1"]])
  func noALPN(_ protocols: [String]) async throws {
    let files = try TestCertificates()
    defer { withExtendedLifetime(files) {} }
    try await withServer(try echoDispatcher(), tls: files.server) { _, address, _ in
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.certificateVerification = .none
      configuration.applicationProtocols = protocols
      let context = try NIOSSLContext(configuration: configuration)
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: address.host, port: address.port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: context, serverHostname: nil))
            return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
              wrappingChannelSynchronously: channel)
          }
        }
      try await channel.executeThenClose { inbound, _ in
        do {
          for try await _ in inbound { Issue.record("the server should say nothing") }
        } catch {
          // Closed without close_notify or with an alert: both are an end.
        }
      }
    }
  }

  @Test("unusable TLS files are named in the error")
  func badFiles() async throws {
    let files = TLSFiles(
      certificateChain: "/nonexistent/chain.pem", privateKey: "/nonexistent/key.pem")
    let loops = EventLoops(threads: 1)
    let server = Server(
      configuration: ServerConfiguration(
        address: HostPort(host: "127.0.0.1", port: 0), tls: ServerTLS(identity: files)),
      dispatcher: try echoDispatcher(), loops: loops)
    await #expect(throws: TLSError.self) { try await server.start() }
    await server.shutdown()
    try await loops.shutdown()
  }
}
