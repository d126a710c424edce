import ArgumentParser
import GatewayCore
import Logging
import RPC
import RPCTransport
import ServiceKit
import ServiceMain
import Storage
import UnixSignals

@main
struct GatewayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia-gateway",
    abstract: "The one address of the suite: proves callers, applies the policy, forwards calls.",
    discussion: """
      Serves gRPC, gRPC-Web and JSON over TLS on its port; health, /metrics and POST /reload in \
      plaintext on its admin port; operators' commands (yijia audit, backup, keys) over mutual TLS \
      on a port of their own. SIGHUP reads configuration, certificates and keyrings anew: no call \
      notices, and a wrong one is refused. SIGTERM lets running calls finish.
      Example: yijia-gateway --config gateway.yaml
      """, version: Product.version)

  @Option(help: "Configuration file, YAML or JSON; services/gateway/config.example.yaml shows all.")
  var config: String?
  @Flag(help: "Check the configuration and every file that it names.") var check = false
  @Flag(help: "Apply what is missing of the store's schema and end.") var migrate = false
  @Flag(help: "Print who may call what, with a partner's limits, and end.") var policy = false

  func run() async throws {
    guard !check else {
      return print(try GatewayConfiguration.check(config) { try Self.server($0).tls?.check() })
    }
    let configuration = try GatewayConfiguration.load(config)
    try configuration.validate()
    guard !policy else { return print(try PolicyMatrix(configuration).text, terminator: "") }
    guard !migrate else {
      return try await openStore(configuration.storeURL(), GatewayMigrations.all).close()
    }
    Observation.bootstrap()
    Observation.logLevel = Logger.Level(rawValue: configuration.logLevel) ?? .info
    try await serve(configuration, logger: Logger(label: "yijia-gateway"))
  }

  private func serve(_ configuration: GatewayConfiguration, logger: Logger) async throws {
    let (loops, kiosks, health) = (EventLoops(), KioskDirectory(), HealthRegistry())
    let store = try await GatewayStore(configuration) { try await openStore($0, $2, patience: $1) }
    let gateway = try LiveGateway(
      configuration, kiosks: kiosks, store: store, logger: logger, post: HTTPDocument.poster(loops)
    ) { try ClientChannel(configuration: Self.client($0), loops: loops, logger: logger) }
    func server(_ place: ServerConfiguration, _ calls: Dispatcher) -> Server {
      Server(configuration: place, dispatcher: calls, loops: loops, logger: logger)
    }
    let calls = try Dispatcher(edge: gateway, health: health, logger: logger)
    let edge = server(Self.server(configuration.edge), calls)
    let inner = try store.map { store in
      let router = try store.router(health: health, logger: logger)
      return server(Self.server(configuration.inner), Dispatcher(router: router, logger: logger))
    }
    let reload: @Sendable () async throws -> Void = { [config] in
      try await gateway.reload { next in
        let shown = try [(edge, next.edge), (inner, next.inner)].compactMap { server, link in
          try Self.server(link).tls.map { (server, try server?.credentials($0)) }
        }
        return { for case (let server?, let credentials?) in shown { server.use(credentials) } }
      } _: {
        try .load(config)
      }
    }
    let page = AdminPages(of: gateway, health: health, reload: reload)
    let web = try Dispatcher(
      adminOf: health, pages: [page], paths: AdminPages.paths, logger: logger)
    let inside = HostPort(host: configuration.admin.host, port: configuration.admin.port)
    let admin = server(ServerConfiguration(admin: inside), web)
    let servers = [edge, admin, inner].compactMap { $0 }
    let upkeep = Task {
      async let _ = gateway.announce(in: health)
      await gateway.run { try await HTTPDocument($0, trusting: $1).get(on: loops, bytesMax: $2) }
    }
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    try await listen(servers, logger)
    for await signal in signals {
      logger.notice("signal", metadata: ["signal": "\(signal)"])
      guard signal == .sighup else { break }
      Task { try? await reload() }  // what is wrong is in the log
    }
    await gateway.renounce(in: health)
    for server in servers { await server.shutdown(grace: gateway.drain) }
    upkeep.cancel()  // it calls services: on loops that are shut down it would never end
    await upkeep.value
    for case let channel as ClientChannel in gateway.channels { await channel.shutdown() }
    try await loops.shutdown()
    LineWriter.standardOutput.flush()
    logger.notice("stopped")
  }

  private static func client(_ link: BackendLink) throws -> ClientConfiguration {
    let own = TLSFiles(certificateChain: link.tls.certificateFile, privateKey: link.tls.keyFile)
    let tls = ClientTLS(
      authorities: link.tls.authorityFile, identity: own, serverName: .uri(link.identity))
    var client = ClientConfiguration(
      inner: link.targets.compactMap { HostPort($0) }, tls: link.identity.isEmpty ? nil : tls)
    (client.balancing, client.connectsPerLoop) = (link.balancing, true)
    if !link.isHealthChecked { client.healthService = nil }
    // What a caller that does not read holds: a thousand such calls leave others their credit.
    client.limits.streamWindowBytes = 64 << 10
    return client
  }

  private static func server(_ link: ServedLink) -> ServerConfiguration {
    let own = TLSFiles(certificateChain: link.certificateFile, privateKey: link.keyFile)
    let from = link.authoritiesFile
    var tls = ServerTLS(identity: own, clients: .required(authorities: from))
    if !link.isMutual { tls.clients = from.isEmpty ? .none : .optional(authorities: from) }
    let address = HostPort(host: link.address.host, port: link.address.port)
    var server = ServerConfiguration(address: address, tls: link.isPlaintext ? nil : tls)
    (server.allowsHTTP1, server.connectionsMax) = (link.allowsHTTP1, link.connectionsMax)
    return server
  }
}
