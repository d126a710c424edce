import ArgumentParser
import Foundation
import GRPCHealthV1
import RPC
import RPCTransport
import ServiceKit
import UnixSignals

struct Dev: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Start the whole suite on this machine and do the main job with it.",
    discussion: """
      Makes certificates, keys and configurations under the data folder (once), starts the members \
      service, the stations service and the gateway as separate processes, imports a tree of \
      organizations, enrolls a roster as a partner, reports visits as a kiosk, and prints what \
      became of it. Then it keeps running until Ctrl-C, which stops all cleanly. A second start \
      goes on with the data of the first.

      DATA/connection.json tells any gRPC client how to reach the suite. Logs are in DATA/logs, \
      among them the one-time codes for the members' page. For the pages a browser has to trust \
      DATA/tls/authority.crt.

      Examples:
        yijia dev
        yijia dev --data /tmp/second --gateway-port 8543 --members-port 7201 --stations-port 7202
        yijia dev --once        ends after the tables: for scripts
        yijia dev --prepare     only writes certificates, keys and configurations
      """)

  @OptionGroup var settings: DevelopmentSettings

  @Flag(help: "End after the tables instead of waiting for Ctrl-C.")
  var once = false

  @Flag(help: "Replay what the papers tell of seven places too (yijia replay --help).")
  var replay = false

  @OptionGroup var replayOptions: ReplayOptions

  @Flag(help: "Start without enrolling and reporting.")
  var idle = false

  @Flag(help: "Only write certificates, keys and configurations.")
  var prepare = false

  func run() async throws {
    do {
      let ports = try settings.ports()
      let lock = try FolderLock(settings.folder)
      if !prepare { try PortCheck.requireFree(ports) }
      let files = try DevelopmentFiles(folder: settings.folder, ports: ports)
      if !prepare { try await runSuite(files) }
      _ = consume lock
    } catch let error as ExitCode {
      throw error
    } catch {
      Terminal.endProgress()
      Terminal.note("yijia dev: \(Explanation.of(error))")
      throw ExitCode.failure
    }
  }

  private func runSuite(_ files: DevelopmentFiles) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    let suite = Suite()
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { for await _ in signals { return } }
        group.addTask { try await suite.watch() }
        group.addTask { try await work(files, suite) }
        try await group.next()
        group.cancelAll()
      }
    } catch {
      await suite.stop()
      throw error
    }
    await suite.stop()
    Terminal.note("stopped")
  }

  /// Starts the services one after the other, runs the scenario, then waits until cancelled. The
  /// services may start in any order; one after the other, no call meets a service that is not
  /// listening yet.
  private func work(_ files: DevelopmentFiles, _ suite: Suite) async throws {
    for member in SuiteMember.allCases {
      let child = try suite.start(member, files: files)
      try await waitUntilServing(child, files: files)
    }
    let gateway = files.port(.gateway)
    var scenario = Scenario(
      settings: settings, files: files, connection: connectionFile(files, gateway: gateway))
    try await scenario.prepare()
    if !idle { try await scenario.run() }
    if replay { try await replayPapers(scenario.connection) }
    if once { return }
    Terminal.say("gateway 网关: localhost:\(gateway.listen)  (\(files.file("connection.json")))")
    scenario.sayPages()
    Terminal.say("Ctrl-C stops all. 按 Ctrl-C 停止。")
    // Until a signal, or the end of a child.
    while true { try await Task.sleep(for: .seconds(3_600)) }
  }

  private func replayPapers(_ connection: ConnectionFile) async throws {
    let staff = try SuiteClient(file: connection, credential: .staff)
    let reviewer = try SuiteClient(file: connection, credential: .reviewer)
    let checker = try SuiteClient(file: connection, credential: .checker)
    do {
      try await replayOptions.replay(staff: staff, reviewer: reviewer, checker: checker)
    } catch {
      for client in [staff, reviewer, checker] { await client.close() }
      throw error
    }
    for client in [staff, reviewer, checker] { await client.close() }
  }

  private func waitUntilServing(_ child: SuiteProcess, files: DevelopmentFiles) async throws {
    let admin = HostPort(host: "127.0.0.1", port: files.port(child.member).admin)
    let channel = try ClientChannel(targets: [admin], loops: SuiteClient.loops)
    let health = HealthClient(channel)
    let end = ContinuousClock.now + .seconds(60)
    var options = CallOptions()
    options.timeout = .seconds(1)
    do {
      while (try? await health.check(HealthCheckRequest(), options: options))?.status != .serving {
        guard ContinuousClock.now < end else {
          throw ConfigurationError("\(child.member.executable) does not become healthy in 60 s")
        }
        // Pause between two probes: the child may not be listening yet.
        try await Task.sleep(for: .milliseconds(50))
      }
    } catch {
      await channel.shutdown()
      throw error
    }
    await channel.shutdown()
  }

  private func connectionFile(_ files: DevelopmentFiles, gateway: SuitePorts) -> ConnectionFile {
    ConnectionFile(
      gateway: "localhost:\(gateway.listen)", caFile: files.file("tls/authority.crt"),
      partnerAPIKey: files.credentials.partnerKey, kioskAPIKey: "", kiosk: "", station: "",
      staffToken: files.credentials.staffToken,
      reviewerToken: files.credentials.reviewerToken,
      checkerToken: files.credentials.checkerToken,
      protoRoot: URL(filePath: "proto").absoluteURL.standardized.path,
      adminPorts: files.ports.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value.admin })
  }
}
