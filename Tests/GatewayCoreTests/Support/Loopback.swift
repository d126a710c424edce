import Logging
import RPC
import RPCTransport
import ServiceKit

@testable import GatewayCore

/// Real sockets on the loopback address, in plaintext unless a test requests TLS.
struct Loopback {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  var loops = EventLoops(threads: 2)

  /// Starts a server, by default on a free port.
  /// - Parameters:
  ///   - streamsMax: Streams that a connection may have open at once; nil for the default.
  ///   - heldBytesMax: Bytes of incomplete messages over all connections; nil for the default.
  func serve(
    services: [any RPCService] = [], handlers: [any ExchangeHandler] = [],
    at address: HostPort = HostPort(host: "127.0.0.1", port: 0), tls: ServerTLS? = nil,
    streamsMax: UInt32? = nil, heldBytesMax: Int? = nil
  ) async throws -> (server: Server, address: HostPort) {
    var configuration = ServerConfiguration(address: address, tls: tls)
    if let streamsMax { configuration.limits.concurrentStreamsMax = streamsMax }
    if let heldBytesMax { configuration.heldBytesMax = heldBytesMax }
    configuration.allowsHTTP1 = true
    // On a busy machine, a test's own client may take long to speak.
    configuration.limits.handshakeMax = .seconds(120)
    configuration.limits.headersMax = .seconds(120)
    let server = Server(
      configuration: configuration,
      dispatcher: Dispatcher(
        router: try Router(services: services), handlers: handlers, logger: Self.quiet),
      loops: loops, logger: Self.quiet)
    return (server, try await server.start())
  }

  /// - Parameters:
  ///   - perLoop: Whether calls stay on their callers' loops, as in a gateway.
  ///   - separatesBulk: Whether bulk calls have connections of their own, as in a gateway.
  func connect(
    _ targets: [HostPort], health: String? = nil, perLoop: Bool = false,
    separatesBulk: Bool = false
  ) throws -> ClientChannel {
    var configuration = ClientConfiguration(targets: targets)
    configuration.healthService = health
    configuration.connectsPerLoop = perLoop
    configuration.balancing.separatesBulk = separatesBulk
    return try ClientChannel(configuration: configuration, loops: loops, logger: Self.quiet)
  }

  /// Starts a gateway in front of those backends, and returns a channel to it.
  func gateway(
    to targets: [HostPort], health: String? = nil, messageBytesMax: Int = 4 << 20,
    kiosks: KioskDirectory? = nil, idempotentMethods: [String] = []
  ) async throws -> ClientChannel {
    let gateway = try TestGateway(
      try connect(targets, health: health, perLoop: TestGateway.isDirect, separatesBulk: true),
      kiosks: kiosks,
      messageBytesMax: messageBytesMax, idempotentMethods: idempotentMethods)
    let (_, address) = try await serve(handlers: [gateway.gateway])
    return try connect([address])
  }

  /// A port on which nobody listens, of a loopback address that no other test uses.
  func deadAddress() async throws -> HostPort {
    let (server, address) = try await serve(at: HostPort(host: "127.7.7.7", port: 0))
    await server.shutdown(grace: .zero)
    return address
  }
}
