import ArgumentParser
import Dispatch
import Foundation
import GRPCHealthV1
import GRPCTesting
import RPC
import RPCTransport
import ServiceKit

/// Serves `grpc.testing.TestService`, for the interoperability tests of other implementations.
@main
struct InteropServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpc-interop-server",
    abstract: "Serves grpc.testing.TestService, for interoperability tests.",
    discussion: "Health and reflection are there too.")

  @Option(help: "The port to listen on; 0 takes a free one.")
  var port: Int

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "Event loops; by default one a processor core.")
  var threads: Int?

  @Flag(help: "Allow each connection what the suite's services allow the gateway.")
  var inner = false

  @Option(help: "A PEM file with the certificate chain; with --tls-key serves TLS.")
  var tlsCert: String?

  @Option(help: "A PEM file with the private key.")
  var tlsKey: String?

  @Option(help: "A PEM file with the authorities of client certificates, which are then required.")
  var tlsClientAuthority: String?

  func validate() throws {
    guard (tlsCert == nil) == (tlsKey == nil) else {
      throw ValidationError("--tls-cert and --tls-key go together")
    }
    guard tlsClientAuthority == nil || tlsCert != nil else {
      throw ValidationError("--tls-client-authority needs --tls-cert and --tls-key")
    }
  }

  func run() async throws {
    var tls: ServerTLS?
    if let tlsCert, let tlsKey {
      tls = ServerTLS(
        identity: TLSFiles(certificateChain: tlsCert, privateKey: tlsKey),
        clients: tlsClientAuthority.map { .required(authorities: $0) } ?? .none)
    }
    let health = HealthRegistry()
    health.set("", .serving)
    health.set("grpc.testing.TestService", .serving)
    let services: [any RPCService] = [InteropService(), HealthService(registry: health)]
    let reflection = try ReflectionService(
      of: services, descriptorSets: [GRPCTestingDescriptors.fileDescriptorSet])
    let loops = EventLoops(threads: threads)
    var configuration = ServerConfiguration(address: HostPort(host: host, port: port), tls: tls)
    if inner { configuration.limits = .trusted }
    let server = Server(
      configuration: configuration,
      dispatcher: Dispatcher(router: try Router(services: services + [reflection])),
      loops: loops)
    let address = try await server.start()
    // Unbuffered, for a process that waits for the line.
    try FileHandle.standardOutput.write(contentsOf: Data("listening on \(address)\n".utf8))
    await Self.termination()
    await server.shutdown(grace: .seconds(10))
    try await loops.shutdown()
  }

  /// Suspends until SIGTERM or SIGINT.
  private static func termination() async {
    let (signals, continuation) = AsyncStream<Void>.makeStream()
    let sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield() }
      source.resume()
      return source
    }
    for await _ in signals { break }
    for source in sources { source.cancel() }
  }
}
