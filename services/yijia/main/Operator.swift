import ArgumentParser
import Foundation
import OperationsV1
import RPC
import RPCTransport
import ServiceKit
import Storage
import StorageEngines

/// How an operator's command reaches a service's data: through the running service's tasks, or
/// through the store itself where no service has it open.
struct OperatorOptions: ParsableArguments {
  @Option(help: "Configuration of the service, e.g. .dev/members.yaml.")
  var config: String

  @Option(
    help: "Name of the service. [default: by the file's name: members-2.yaml is of members]")
  var service: String?

  @Option(help: "The operator's certificate, PEM. [default: operator.crt beside the service's]")
  var certificate: String?

  @Option(help: "Its key, PEM. [default: operator.key beside the service's]")
  var key: String?

  /// Returns the options for the configuration that a command names, where that is not all it may
  /// name.
  static func of(_ config: String, _ service: String?) throws -> OperatorOptions {
    try parse(["--config", config] + (service.map { ["--service", $0] } ?? []))
  }

  /// The service's name. Replicas have a configuration each: `members-2.yaml` is one of members.
  var name: String {
    if let service { return service }
    let file = URL(filePath: config).deletingPathExtension().lastPathComponent
    return Self.services.first { file.hasPrefix("\($0)-") } ?? file
  }

  private static let services = ["members", "stations", "gateway"]

  /// The store settings in a gateway's configuration, which has no `service` section.
  private struct GatewayStoreSettings: CheckedConfiguration {
    var operations = ListenAddress(host: "127.0.0.1", port: 10_443)
    var tls = WorkloadFiles(name: "gateway")
    var database = "sqlite:gateway.sqlite"
    var keyrings = KeyringFiles(name: "gateway")

    /// The gateway checks the fields.
    func faults() -> [String] { [] }
  }

  func configuration() throws -> ServiceConfiguration {
    guard Self.services.contains(name) else {
      throw ConfigurationError(
        zh: "\(config)：从文件名看不出是哪个服务的配置；请加上 --service members、stations 或 gateway",
        en: "\(config): its name does not tell whose configuration it is; say --service members, "
          + "stations or gateway")
    }
    if name == "gateway" {
      let stated = try loadConfiguration(
        GatewayStoreSettings.self, defaults: GatewayStoreSettings(), file: config, isPart: true)
      guard !stated.database.isEmpty else {
        throw ConfigurationError("\(config): this gateway keeps nothing: database is empty")
      }
      var configuration = ServiceConfiguration(name: name, port: 0)
      (configuration.listen, configuration.tls) = (stated.operations, stated.tls)
      (configuration.database, configuration.keyrings) = (stated.database, stated.keyrings)
      return configuration
    }
    let ports = ["members": 7_101, "stations": 7_102]
    let configuration = try loadConfiguration(
      ServiceConfiguration.self,
      defaults: ServiceConfiguration(name: name, port: ports[name] ?? 0), file: config,
      section: "service")
    try configuration.validate()
    return configuration
  }

  /// Opens the store; returns nil where a service has it open.
  ///
  /// - Throws: `StorageError.keyring` if the configuration's keyrings are not those of the store.
  func openIfFree() async throws -> (any Database)? {
    let configuration = try configuration()
    let store: any Database
    do {
      store = try await openExisting(configuration.database)
    } catch StorageError.locked {
      return nil
    }
    do {
      try Keys.check(configuration.keyrings, against: try await store.keyMarks())
      return store
    } catch {
      await store.close()
      throw error
    }
  }

  /// Runs a task in the running service and shows its progress.
  func run(_ task: RunTaskRequest.Task) async throws -> TaskResult {
    let configuration = try configuration()
    let folder = URL(filePath: configuration.tls.certificateFile).deletingLastPathComponent()
    var client = ClientConfiguration(targets: [
      HostPort(host: configuration.listen.host, port: configuration.listen.port)
    ])
    client.tls = ClientTLS(
      authorities: configuration.tls.authorityFile,
      identity: TLSFiles(
        certificateChain: certificate ?? folder.appending(path: "operator.crt").path,
        privateKey: key ?? folder.appending(path: "operator.key").path),
      serverName: .uri("spiffe://yijia/\(name)"))
    let channel = try ClientChannel(configuration: client, loops: SuiteClient.loops)
    do {
      let result = try await Self.run(task, on: channel)
      await channel.shutdown()
      return result
    } catch {
      await channel.shutdown()
      throw error
    }
  }

  private static func run(
    _ task: RunTaskRequest.Task, on channel: ClientChannel
  ) async throws -> TaskResult {
    var request = RunTaskRequest()
    request.task = task
    var options = CallOptions()
    options.metadata.add("accept-language", SuiteClient.acceptLanguage)
    let responses = try await OperationsServiceClient(channel).runTask(request, options: options)
    for try await response in responses {
      switch response.event {
      case .progress(let progress):
        let total = progress.total > 0 ? " of \(progress.total)" : ""
        Terminal.progress("\(progress.done)\(total) \(progress.unit)")
      case .result(let result):
        Terminal.endProgress()
        return result
      case nil: continue
      }
    }
    throw ConfigurationError("the service ended the task without a result")
  }
}

/// Opens an existing store; a missing one is an error, not created.
func openExisting(
  _ url: String, patience: Swift.Duration = .zero
) async throws -> any Database {
  let path = url.hasPrefix("sqlite:") ? String(url.dropFirst("sqlite:".count)) : nil
  if let path, !FileManager.default.fileExists(atPath: path) {
    throw ConfigurationError("\(path): there is no store")
  }
  return try await openDatabase(url: url, patience: patience, prepares: false) {
    Terminal.note("\(explained($0, database: url))")
  }
}

/// Runs a command's work and prints its error for people.
func explained(_ work: () async throws -> Void) async throws {
  do {
    try await work()
  } catch let error as ExitCode {
    throw error
  } catch {
    Terminal.endProgress()
    Terminal.note(Explanation.of(error))
    let notes = [(error as? StorageError)?.debugDetail, (error as? StorageError)?.remedy]
    for case let note? in notes { Terminal.note("  \(note)") }
    throw ExitCode.failure
  }
}
