import Logging
import RPC
import RPCTransport

// guide: server
/// A server on that address, started. Port 0 takes a free one.
func startServer(on address: HostPort, loops: EventLoops) async throws -> (Server, HostPort) {
  let router = try Router(
    services: [Greeter()],
    interceptors: [ServerTracing(), SlowCalls(logger: Logger(label: "greeter"))])
  let server = Server(
    configuration: ServerConfiguration(address: address), dispatcher: Dispatcher(router: router),
    loops: loops)
  return (server, try await server.start())
}
// guide: end

// guide: tls
/// The same over TLS; the folder holds PEM files.
func secured(_ address: HostPort, folder: String) -> ServerConfiguration {
  let identity = TLSFiles(
    certificateChain: "\(folder)/server.crt", privateKey: "\(folder)/server.key")
  return ServerConfiguration(address: address, tls: ServerTLS(identity: identity))
}

/// The client's side: whom it believes.
func secured(_ server: HostPort, authorities: String) -> ClientConfiguration {
  ClientConfiguration(targets: [server], tls: ClientTLS(authorities: authorities))
}
// guide: end
