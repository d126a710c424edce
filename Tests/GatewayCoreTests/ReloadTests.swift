import Foundation
import GRPCTesting
import Logging
import RPC
import RPCInProcess
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("Reload")
struct ReloadTests {
  /// A live gateway in front of in-process echo backends, one per link.
  struct World {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let gateway: LiveGateway
    let edge: InProcessChannel
    let links = Shared<[BackendLink]>([])
    let probe = EchoProbe()

    init(_ key: URL) throws {
      let (links, probe) = (links, probe)
      gateway = try LiveGateway(
        Self.configuration(key), kiosks: KioskDirectory(), clock: TestGateway.clock,
        logger: Self.logger
      ) { link in
        links.update { $0.append(link) }
        return try InProcessChannel(services: [EchoService(probe)])
      }
      edge = InProcessChannel(
        try Dispatcher(edge: gateway, health: HealthRegistry(), logger: Self.logger))
    }

    static func configuration(_ key: URL) -> GatewayConfiguration {
      var configuration = TestGateway.configuration
      configuration.plaintext = true
      configuration.callerToken.privateKeyFile = key.path
      configuration.services = [
        "members": ServiceAddress(targets: ["127.0.0.1:1"], identity: ""),
        "stations": ServiceAddress(targets: ["127.0.0.1:2"], identity: ""),
      ]
      configuration.opaqueServices = [
        OpaqueServiceSetting(
          service: "grpc.testing.TestService", targets: ["127.0.0.1:3"], callers: ["partner"])
      ]
      return configuration
    }

    var client: TestServiceClient { TestServiceClient(edge) }

    func reload(
      certificates: @escaping LiveGateway.Certificates = { _ in {} },
      _ change: (inout GatewayConfiguration) -> Void
    ) async throws {
      var next = gateway.configuration
      change(&next)
      try await gateway.reload(certificates: certificates) { [next] in next }
    }

    func call(as key: String = TestGateway.partnerKey) async throws {
      var options = CallOptions()
      options.metadata = ["x-api-key": .text(key)]
      _ = try await client.unaryCall(SimpleRequest(), options: options)
    }
  }

  private func with(_ body: (World) async throws -> Void) async throws {
    try await Self.withKey { try await body(World($0)) }
  }

  /// Runs with a file that contains a caller token key.
  static func withKey(_ body: (URL) async throws -> Void) async throws {
    let key = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).key")
    try TokenKeyFile.generate().privateKey.write(to: key, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: key) }
    try await body(key)
  }

  @Test("the next call is authenticated by the new configuration")
  func callers() async throws {
    try await with { world in
      try await world.call()
      try await world.reload { configuration in
        configuration.partners[0].apiKeySHA256 = TestGateway.sha256("a new key")
      }
      try await world.call(as: "a new key")
      let error = await #expect(throws: RPCError.self) { try await world.call() }
      #expect(error?.code == .unauthenticated)
      #expect(world.gateway.generation == 2)
    }
  }

  @Test(
    "an invalid configuration is refused with one error that names every field; the old one stays")
  func wrong() async throws {
    try await with { world in
      let before = world.gateway.configuration
      let error = await #expect(throws: ConfigurationError.self) {
        try await world.reload(certificates: { _ in throw ConfigurationError("edge.crt: no PEM") })
        {
          $0.plaintext = false
          $0.listen.port = 1
          $0.admin.port = 2
          $0.operations.port = 3
          $0.drainSeconds = -1
          $0.callerToken.privateKeyFile = "/nowhere/caller.key"
          $0.opaqueServices[0].identity = "spiffe://yijia/echo"
          $0.services["members"]?.targets = ["nowhere"]
          $0.tls.keyFile = "/nowhere/gateway.key"
          $0.partners[0].apiKeySHA256 = "short"
        }
      }
      let text = try #require(error?.description)
      for field in [
        "listen", "plaintext", "admin", "operations", "certificate: edge.crt", "drain_seconds",
        "/nowhere",
        "caller_token.private_key_file", "opaque_services[0]", "partners[0].api_key_sha256",
        "services.members.targets: nowhere",
      ] {
        #expect(text.contains(field), "\(field) in: \(text)")
      }
      #expect(world.gateway.configuration == before)
      #expect(world.gateway.generation == 1)
      #expect(world.links.value.allSatisfy { $0.targets != ["nowhere"] }, "nobody connects there")
      try await world.call()
    }
  }

  @Test("an unreadable configuration is refused, and the old one stays")
  func unreadable() async throws {
    try await with { world in
      await #expect(throws: ConfigurationError.self) {
        try await world.gateway.reload(certificates: { _ in {} }) {
          throw ConfigurationError("gateway.yaml: unknown key listn")
        }
      }
      try await world.call()
    }
  }

  @Test("channels to unchanged services are kept; a running stream outlives its service's channel")
  func channels() async throws {
    try await with { world in
      #expect(world.links.value.count == 3)
      let stream = try await world.client.fullDuplexCall(options: TestCaller.partner.options)
      var responses = stream.responses.makeAsyncIterator()
      try await stream.send(StreamingOutputCallRequest())
      _ = try await responses.next()
      try await world.reload { $0.messageBytesMax = 1_000 }
      #expect(world.links.value.count == 3, "nothing is connected anew")
      try await world.reload { $0.opaqueServices[0].targets = ["127.0.0.1:4"] }
      #expect(world.links.value.last?.targets == ["127.0.0.1:4"])
      #expect(world.links.value.count == 4)
      try await world.call()
      try await stream.send(StreamingOutputCallRequest())
      #expect(try await responses.next() != nil)
      try await stream.finishSending()
      #expect(try await responses.next() == nil)
    }
  }

  @Test("the certificate is installed with everything else, or not at all")
  func certificate() async throws {
    try await with { world in
      var configuration = world.gateway.configuration
      configuration.plaintext = false
      let live = try LiveGateway(
        configuration, kiosks: KioskDirectory(), logger: World.logger
      ) { _ in DeadChannel() }
      let shown = Counter()
      let certificates: LiveGateway.Certificates = { _ in { shown.add() } }
      try await live.reload(certificates: certificates) { [configuration] in configuration }
      #expect(shown.value == 1)
      configuration.drainSeconds = 601
      await #expect(throws: ConfigurationError.self) {
        try await live.reload(certificates: certificates) { [configuration] in configuration }
      }
      #expect(shown.value == 1)
    }
  }

  @Test("a value replaced while loops read it is released, and each loop reads the new one")
  func live() async throws {
    final class Box: Sendable {}
    let live = Live(Box())
    let channel = try InProcessChannel(services: [EchoService()])
    weak var first: Box?
    try await channel.openExchange(RequestHead(path: "/x/y"), options: ExchangeOptions()) { call in
      let loop = call.exchange.loop
      await call.exchange.onLoop {
        first = live.value(on: loop)
        #expect(first === live.value(on: loop))
      }
      let next = Box()
      live.replace(with: next)
      await call.exchange.onLoop { #expect(live.value(on: loop) === next) }
      await call.reset()
    }
    #expect(first == nil)
  }
}
