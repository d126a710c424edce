import ArgumentParser
import GRPCHealthV1
import Logging
import RPC
import RPCTransport
import ServiceKit
import ServiceMain
import StationsCore
import Storage
import UnixSignals

struct Stations: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia-stations",
    abstract: "Service points, their kiosks and the visits that these report.",
    discussion: """
      Serves yijia.stations.v1 over mutual TLS; health and /metrics in plaintext on its admin \
      port. Ends cleanly on SIGTERM and SIGINT: running calls may finish. SIGHUP reads \
      log_level and TLS files anew; `yijia keys apply` has keyrings read anew.
      Example: yijia-stations --config stations.yaml
      """, version: Product.version)

  @Option(help: "Configuration file, YAML or JSON; see config.example.yaml.") var config: String?
  @Flag(help: "Check the configuration and every file that it names.") var check = false
  @Flag(help: "Apply what is missing of the store's schema and end.") var migrate = false

  func run() async throws {
    guard !check else {
      return print(
        try checkConfiguration(StationsConfiguration.self, defaults: .init(), file: config) {
          let (service, members) = ($0.service, $0.members)
          return service.fileFaults(keyrings: ["fields", "page-tokens"], audience: "stations") {
            try service.serverTLS.check()
            try service.clientTLS(to: members).check()
          }.map { "service.\($0)" }
        })
    }
    let configuration = try load()
    let common = configuration.service
    guard !migrate else {
      return try await openStore(common.database, StationsMigrations.all).close()
    }
    Observation.bootstrap()
    Observation.logLevel = Logger.Level(rawValue: common.logLevel) ?? .info
    try await serve(configuration, logger: Logger(label: "yijia-stations"))
  }

  private func load() throws -> StationsConfiguration {
    let stated = try loadConfiguration(StationsConfiguration.self, defaults: .init(), file: config)
    try stated.validate()
    return stated
  }

  private func serve(_ configuration: StationsConfiguration, logger: Logger) async throws {
    let common = configuration.service
    let database = try await openStore(common.database, StationsMigrations.all)
    let loops = EventLoops()
    let members = try membersChannel(configuration, loops, logger)
    let service = StationsService(
      database: database, keys: try StationsKeys(files: common.keyrings), membersChannel: members,
      configuration: configuration, logger: logger)
    try await database.markKeys(service.storeKeyrings)
    let feed = MembersFeed(service: service, channel: members, logger: logger)
    let following = Task { await feed.run() }
    let health = HealthRegistry()
    let servers = try servers(common, service, health, loops, logger)
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    try await listen(servers, logger)
    async let _ = endProcess(whenFails: database, logger: logger)
    let housekeeping = Housekeeping(database: database, upkeep: service, configuration: common)
    async let _ = housekeeping.run(logger: logger)
    for name in ["", StationsService.healthName] { health.set(name, .serving) }
    for await signal in signals {
      logger.notice("signal", metadata: ["signal": "\(signal)"])
      guard signal == .sighup else { break }
      servers[0].reload(logger) { try load().service }
    }
    for name in ["", StationsService.healthName] { health.set(name, .notServing) }
    following.cancel()
    for server in servers { await server.shutdown(grace: .seconds(common.drainSeconds)) }
    await following.value
    await members.shutdown()
    await database.close()
    try await loops.shutdown()
    logger.notice("stopped")
  }

  private func membersChannel(
    _ configuration: StationsConfiguration, _ loops: EventLoops, _ logger: Logger
  ) throws -> ClientChannel {
    let targets = configuration.members.targets.compactMap { HostPort($0) }
    guard targets.count == configuration.members.targets.count else {
      throw ConfigurationError("members.targets: each is host:port")
    }
    let tls = configuration.service.clientTLS(to: configuration.members)
    return try ClientChannel(
      configuration: ClientConfiguration(inner: targets, tls: tls), loops: loops,
      interceptors: [ClientTracing()],
      observer: ClientMetrics(target: "members"), logger: logger)
  }

  private func servers(
    _ common: ServiceConfiguration, _ service: StationsService, _ health: HealthRegistry,
    _ loops: EventLoops, _ logger: Logger
  ) throws -> [Server] {
    let verifier = try common.callerTokenVerifier(audience: "stations")
    let router = try service.router(health: health, verifier: verifier, logger: logger)
    return try [
      (common.innerServer, Dispatcher(router: router, logger: logger)),
      (common.adminServer, Dispatcher(adminOf: health, logger: logger)),
    ].map { Server(configuration: $0, dispatcher: $1, loops: loops, logger: logger) }
  }
}

do {
  try await Stations.parse().run()
} catch {
  Stations.exit(withError: error)
}
