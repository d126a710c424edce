import ArgumentParser
import Foundation
import GRPCHealthV1
import Logging
import MembersCore
import RPC
import RPCTransport
import ServiceKit
import Storage
import StorageEngines
import UnixSignals

struct Members: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia-members",
    abstract: "The registry of union organizations and their members.",
    discussion: """
      Serves yijia.members.v1 over mutual TLS; health and /metrics in plaintext on its admin port. \
      Ends cleanly on SIGTERM and SIGINT: running calls may finish.
      Example: yijia-members --config members.yaml
      """)

  @Option(help: "Configuration file, YAML or JSON; services/members/config.example.yaml shows all.")
  var config: String?

  @Flag(help: "Check the configuration and end.") var check = false

  @Flag(help: "Apply what is missing of the store's schema and end.") var migrate = false

  func run() async throws {
    let configuration = try loadConfiguration(
      MembersConfiguration.self, defaults: MembersConfiguration(), file: config)
    try configuration.validate()
    guard !check else { return }
    guard !migrate else { return try await open(configuration.service).close() }
    Observation.bootstrap()
    var logger = Logger(label: "yijia-members")
    logger.logLevel = Logger.Level(rawValue: configuration.service.logLevel) ?? .info
    try await serve(configuration, logger: logger)
  }

  private func open(_ common: ServiceConfiguration) async throws -> any Database {
    try await openDatabase(
      url: common.database, patience: Limits.openPatience, migrations: MembersMigrations.all)
  }

  private func serve(_ configuration: MembersConfiguration, logger: Logger) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let common = configuration.service
    let database = try await open(common)
    let service = MembersService(
      database: database, keys: try MembersKeys(files: common.keyrings),
      configuration: configuration)
    try await database.markKeys(service.storeKeyrings)
    try await service.prepare()
    let health = HealthRegistry()
    let loops = EventLoops()
    let servers = try servers(common, service, health, loops, logger)
    for server in servers {
      let address = try await server.start()
      logger.notice("listening", metadata: ["address": "\(address)"])
    }
    async let _ = endProcess(whenFails: database, logger: logger)
    let housekeeping = Housekeeping(database: database, upkeep: service, configuration: common)
    async let _ = housekeeping.run(logger: logger)
    async let _ = service.foldCounters(logger: logger)
    health.set("", .serving)
    health.set(MembersService.healthName, .serving)
    for await signal in signals {
      logger.notice("stopping", metadata: ["signal": "\(signal)"])
      break
    }
    health.set("", .notServing)
    health.set(MembersService.healthName, .notServing)
    for server in servers { await server.shutdown(grace: .seconds(common.drainSeconds)) }
    await database.close()
    try await loops.shutdown()
    logger.notice("stopped")
  }

  /// Returns the servers of the inner link, over mutual TLS, and of the admin port, in plaintext.
  private func servers(
    _ common: ServiceConfiguration, _ service: MembersService, _ health: HealthRegistry,
    _ loops: EventLoops, _ logger: Logger
  ) throws -> [Server] {
    let verifier = try common.callerTokenVerifier(audience: "members")
    var link = ServerConfiguration(
      address: HostPort(host: common.listen.host, port: common.listen.port),
      tls: ServerTLS(
        identity: TLSFiles(
          certificateChain: common.tls.certificateFile, privateKey: common.tls.keyFile),
        clients: .required(authorities: common.tls.authorityFile)))
    link.limits = .trusted
    let admin = ServerConfiguration(
      admin: HostPort(host: common.admin.host, port: common.admin.port))
    let router = try service.router(health: health, verifier: verifier, logger: logger)
    return [
      Server(
        configuration: link, dispatcher: Dispatcher(router: router, logger: logger), loops: loops,
        logger: logger),
      Server(
        configuration: admin,
        dispatcher: try Dispatcher(adminOf: health, logger: logger), loops: loops, logger: logger),
    ]
  }
}

do {
  try await Members.parse().run()
} catch {
  Members.exit(withError: error)
}
