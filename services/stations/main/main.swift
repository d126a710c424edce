import ArgumentParser
import GRPCHealthV1
import Logging
import RPC
import RPCTransport
import ServiceKit
import StationsCore
import Storage
import StorageEngines
import UnixSignals

struct Stations: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia-stations",
    abstract: "Service points, their kiosks and the visits that these report.",
    discussion: """
      Serves yijia.stations.v1 over mutual TLS; health and /metrics in plaintext on its admin \
      port. Ends cleanly on SIGTERM and SIGINT: running calls may finish.
      Example: yijia-stations --config stations.yaml
      """)

  @Option(help: "Configuration file, YAML or JSON; see config.example.yaml.") var config: String?
  @Flag(help: "Check the configuration and end.") var check = false
  @Flag(help: "Apply what is missing of the store's schema and end.") var migrate = false
  func run() async throws {
    let configuration = try loadConfiguration(
      StationsConfiguration.self, defaults: StationsConfiguration(), file: config)
    try configuration.validate()
    guard !check else { return }
    guard !migrate else { return try await open(configuration.service).close() }
    Observation.bootstrap()
    var logger = Logger(label: "yijia-stations")
    logger.logLevel = Logger.Level(rawValue: configuration.service.logLevel) ?? .info
    try await serve(configuration, logger: logger)
  }

  private func open(_ common: ServiceConfiguration) async throws -> any Database {
    try await openDatabase(
      url: common.database, patience: Limits.openPatience, migrations: StationsMigrations.all)
  }

  private func serve(_ configuration: StationsConfiguration, logger: Logger) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let common = configuration.service
    let database = try await open(common)
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
    for server in servers {
      let address = try await server.start()
      logger.notice("listening", metadata: ["address": "\(address)"])
    }
    async let _ = endProcess(whenFails: database, logger: logger)
    let housekeeping = Housekeeping(database: database, upkeep: service, configuration: common)
    async let _ = housekeeping.run(logger: logger)
    for name in ["", StationsService.healthName] { health.set(name, .serving) }
    let signal = await signals.first { _ in true }
    logger.notice("stopping", metadata: ["signal": "\(signal.map { "\($0)" } ?? "none")"])
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
    let files = configuration.service.tls
    let targets = configuration.members.targets.compactMap { HostPort($0) }
    guard targets.count == configuration.members.targets.count else {
      throw ConfigurationError("members.targets: each is host:port")
    }
    let tls = ClientTLS(
      authorities: files.authorityFile,
      identity: TLSFiles(certificateChain: files.certificateFile, privateKey: files.keyFile),
      serverName: .uri(configuration.members.identity))
    var client = ClientConfiguration(targets: targets, tls: tls)
    client.backoff.max = .seconds(5)
    return try ClientChannel(
      configuration: client, loops: loops, interceptors: [ClientTracing()],
      observer: ClientMetrics(target: "members"), logger: logger)
  }

  private func servers(
    _ common: ServiceConfiguration, _ service: StationsService, _ health: HealthRegistry,
    _ loops: EventLoops, _ logger: Logger
  ) throws -> [Server] {
    let verifier = try common.callerTokenVerifier(audience: "stations")
    let files = common.tls
    let identity = TLSFiles(certificateChain: files.certificateFile, privateKey: files.keyFile)
    var link = ServerConfiguration(
      address: HostPort(host: common.listen.host, port: common.listen.port),
      tls: ServerTLS(identity: identity, clients: .required(authorities: files.authorityFile)))
    link.limits = .trusted
    let admin = ServerConfiguration(
      admin: HostPort(host: common.admin.host, port: common.admin.port))
    let router = try service.router(health: health, verifier: verifier, logger: logger)
    return try [
      (link, Dispatcher(router: router, logger: logger)),
      (admin, Dispatcher(adminOf: health, logger: logger)),
    ].map { Server(configuration: $0, dispatcher: $1, loops: loops, logger: logger) }
  }
}

do {
  try await Stations.parse().run()
} catch {
  Stations.exit(withError: error)
}
