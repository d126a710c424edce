import ArgumentParser
import Foundation
import GRPCHealthV1
import Logging
import MembersCore
import RPC
import RPCTransport
import ServiceKit
import ServiceMain
import Storage
import UnixSignals

struct Members: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia-members",
    abstract: "The registry of union organizations and their members.",
    discussion: """
      Serves yijia.members.v1 over mutual TLS; health and /metrics in plaintext on its admin port. \
      Ends cleanly on SIGTERM and SIGINT: running calls may finish. SIGHUP reads \
      log_level and TLS files anew; `yijia keys apply` has keyrings read anew.
      Example: yijia-members --config members.yaml
      """,
    version: Product.version)

  @Option(help: "Configuration file, YAML or JSON; services/members/config.example.yaml shows all.")
  var config: String?

  @Flag(help: "Check the configuration and every file that it names.") var check = false

  @Flag(help: "Apply what is missing of the store's schema and end.") var migrate = false

  func run() async throws {
    guard !check else {
      return print(
        try checkConfiguration(MembersConfiguration.self, defaults: .init(), file: config) {
          let service = $0.service
          let keyrings = ["fields", "hashes", "page-tokens"]
          return service.fileFaults(keyrings: keyrings, audience: "members") {
            try service.serverTLS.check()
          }.map { "service.\($0)" }
        })
    }
    let configuration = try load()
    guard !migrate else {
      return try await openStore(configuration.service.database, MembersMigrations.all).close()
    }
    Observation.bootstrap()
    Observation.logLevel = Logger.Level(rawValue: configuration.service.logLevel) ?? .info
    try await serve(configuration, logger: Logger(label: "yijia-members"))
  }

  private func load() throws -> MembersConfiguration {
    let configuration = try loadConfiguration(
      MembersConfiguration.self, defaults: MembersConfiguration(), file: config)
    try configuration.validate()
    return configuration
  }

  private func serve(_ configuration: MembersConfiguration, logger: Logger) async throws {
    let common = configuration.service
    let database = try await openStore(common.database, MembersMigrations.all)
    let service = MembersService(
      database: database, keys: try MembersKeys(files: common.keyrings),
      configuration: configuration)
    try await database.markKeys(service.storeKeyrings)
    try await service.prepare()
    let health = HealthRegistry()
    let loops = EventLoops()
    let servers = try servers(common, service, health, loops, logger)
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    try await listen(servers, logger)
    async let _ = endProcess(whenFails: database, logger: logger)
    let housekeeping = Housekeeping(database: database, upkeep: service, configuration: common)
    async let _ = housekeeping.run(logger: logger)
    async let _ = service.foldCounters(logger: logger)
    health.set("", .serving)
    health.set(MembersService.healthName, .serving)
    for await signal in signals {
      logger.notice("signal", metadata: ["signal": "\(signal)"])
      guard signal == .sighup else { break }
      servers[0].reload(logger) { try load().service }
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
    let router = try service.router(health: health, verifier: verifier, logger: logger)
    return try [
      (common.innerServer, Dispatcher(router: router, logger: logger)),
      (common.adminServer, Dispatcher(adminOf: health, logger: logger)),
    ].map { Server(configuration: $0, dispatcher: $1, loops: loops, logger: logger) }
  }
}

do {
  try await Members.parse().run()
} catch {
  Members.exit(withError: error)
}
