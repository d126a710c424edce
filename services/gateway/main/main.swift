import ArgumentParser
import GRPCHealthV1
import GatewayCore
import Logging
import RPC
import RPCTransport
import ServiceKit
import UnixSignals

struct GatewayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia-gateway",
    abstract: "The one address of the suite: proves callers, applies the policy, forwards calls.",
    discussion: """
      Serves gRPC, gRPC-Web and JSON over TLS on its port; health and /metrics in plaintext on its \
      admin port. Ends cleanly on SIGTERM and SIGINT: running calls may finish.
      Example: yijia-gateway --config gateway.yaml
      """)

  @Option(help: "Configuration file, YAML or JSON; services/gateway/config.example.yaml shows all.")
  var config: String?

  @Flag(help: "Check the configuration and end.")
  var check = false

  func run() async throws {
    let configuration = try loadConfiguration(
      GatewayConfiguration.self, defaults: GatewayConfiguration(), file: config)
    try configuration.validate()
    guard !check else { return }
    Observation.bootstrap()
    var logger = Logger(label: "yijia-gateway")
    logger.logLevel = Logger.Level(rawValue: configuration.logLevel) ?? .info
    try await serve(configuration, logger: logger)
  }

  private func serve(_ configuration: GatewayConfiguration, logger: Logger) async throws {
    let loops = EventLoops()
    let backends = try Backends(configuration) { targets, identity in
      try channel(configuration.tls, targets, identity, loops, logger)
    }
    let kiosks = KioskDirectory()
    let feed = KioskFeed(channel: try backends.stations, directory: kiosks, logger: logger)
    let health = HealthRegistry()
    let gateway = try Gateway(configuration, backends: backends, kiosks: kiosks, logger: logger)
    let servers = try servers(configuration, gateway, health, loops, logger)
    try await run(servers, feed, health, drain: .seconds(configuration.drainSeconds), logger)
    for case let channel as ClientChannel in backends.channels { await channel.shutdown() }
    try await loops.shutdown()
    logger.notice("stopped")
  }

  /// Serves until a signal comes and what ran then has ended.
  private func run(
    _ servers: [Server], _ feed: KioskFeed, _ health: HealthRegistry, drain: Duration,
    _ logger: Logger
  ) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    async let _ = feed.run()
    for server in servers {
      let address = try await server.start()
      logger.notice("listening", metadata: ["address": "\(address)"])
    }
    health.set("", .serving)
    for await signal in signals {
      logger.notice("stopping", metadata: ["signal": "\(signal)"])
      break
    }
    health.set("", .notServing)
    for server in servers { await server.shutdown(grace: drain) }
  }

  /// To the replicas of a service: mutual TLS, or plaintext where no identity is stated.
  private func channel(
    _ files: WorkloadFiles, _ targets: [String], _ identity: String, _ loops: EventLoops,
    _ logger: Logger
  ) throws -> any Channel {
    let addresses = try targets.map { text in
      guard let address = HostPort(text) else { throw ConfigurationError("\(text): no host:port") }
      return address
    }
    let tls = ClientTLS(
      authorities: files.authorityFile,
      identity: TLSFiles(certificateChain: files.certificateFile, privateKey: files.keyFile),
      serverName: .uri(identity))
    var client = ClientConfiguration(targets: addresses, tls: identity.isEmpty ? nil : tls)
    client.healthService = ""
    client.connectMax = .seconds(5)
    client.backoff.max = .seconds(5)
    // What a caller that reads slowly holds here of a stream.
    client.limits.streamWindowBytes = 256 << 10
    return try ClientChannel(configuration: client, loops: loops, logger: logger)
  }

  /// The edge, and health in plaintext.
  private func servers(
    _ configuration: GatewayConfiguration, _ gateway: Gateway, _ health: HealthRegistry,
    _ loops: EventLoops, _ logger: Logger
  ) throws -> [Server] {
    let identity = TLSFiles(
      certificateChain: configuration.certificate.certificateFile,
      privateKey: configuration.certificate.keyFile)
    var edge = ServerConfiguration(
      address: HostPort(host: configuration.listen.host, port: configuration.listen.port),
      tls: configuration.plaintext ? nil : ServerTLS(identity: identity))
    edge.allowsHTTP1 = true
    let admin = ServerConfiguration(
      admin: HostPort(host: configuration.admin.host, port: configuration.admin.port))
    return try [
      (edge, gateway.edge(configuration, health: health, logger: logger)),
      (admin, Dispatcher(adminOf: health, logger: logger)),
    ].map { Server(configuration: $0, dispatcher: $1, loops: loops, logger: logger) }
  }
}

do {
  try await GatewayCommand.parse().run()
} catch {
  GatewayCommand.exit(withError: error)
}
