import ArgumentParser
import Foundation
import RPC
import RPCTransport

/// Serves `bench.v1.Bench`, for comparative measurements with other implementations.
@main
struct BenchServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpc-bench-server", abstract: "Serves bench.v1.Bench, for measurements.")

  @Option(help: "The port to listen on, on the loopback address.")
  var port: Int

  @Option(help: "Event loop threads.")
  var threads = 1

  @Flag(help: "Allow each connection what the suite's services allow the gateway.")
  var inner = false

  @Option(help: "A PEM file with the certificate chain; with --tls-key serves TLS.")
  var tlsCert: String?

  @Option(help: "A PEM file with the private key.")
  var tlsKey: String?

  func validate() throws {
    guard threads > 0 else { throw ValidationError("--threads must be positive") }
    guard (tlsCert == nil) == (tlsKey == nil) else {
      throw ValidationError("--tls-cert and --tls-key go together")
    }
  }

  func run() async throws {
    var tls: ServerTLS?
    if let tlsCert, let tlsKey {
      tls = ServerTLS(identity: TLSFiles(certificateChain: tlsCert, privateKey: tlsKey))
    }
    var configuration = ServerConfiguration(
      address: HostPort(host: "127.0.0.1", port: port), tls: tls)
    // Room for the 10,000 idle connections of a measurement.
    configuration.connectionsMax = 20_000
    if inner { configuration.limits = .trusted }
    let server = Server(
      configuration: configuration,
      dispatcher: Dispatcher(router: try Router(services: [BenchService()])),
      loops: EventLoops(threads: threads))
    let address = try await server.start()
    // Unbuffered, for a process that waits for the line.
    try FileHandle.standardOutput.write(contentsOf: Data("listening on \(address)\n".utf8))
    // Runs until a signal ends the process.
    for await _ in AsyncStream<Never>.makeStream().stream {}
  }
}
