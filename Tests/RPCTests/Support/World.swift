import RPC
import RPCInProcess
import RPCTransport
import Testing

/// The transports that every call test runs over.
enum Carrier: String, Sendable, CaseIterable, CustomTestStringConvertible {
  case inProcess
  case sockets
  case tls

  var testDescription: String { rawValue }
}

/// A server of `EchoService` and a channel to it.
struct World {
  let channel: any RPC.Channel
  let witness: Witness

  /// Runs a test against a server that is stopped afterwards.
  static func with(
    _ carrier: Carrier, interceptors: [any ServerInterceptor] = [], limits: CallLimits = .init(),
    handlers: [any ExchangeHandler] = [], services: [any RPCService] = [],
    _ body: (World) async throws -> Void
  ) async throws {
    let witness = Witness()
    let router = try Router(
      services: [EchoService(witness: witness)] + services, interceptors: interceptors)
    let dispatcher = Dispatcher(router: router, handlers: handlers, limits: limits)
    if carrier == .inProcess {
      return try await body(World(channel: InProcessChannel(dispatcher), witness: witness))
    }
    let certificates = carrier == .tls ? try TestCertificates() : nil
    defer { withExtendedLifetime(certificates) {} }
    try await withServer(dispatcher, tls: certificates?.server) { server, address, loops in
      let client = try ClientChannel(targets: [address], tls: certificates?.client, loops: loops)
      do {
        try await body(World(channel: client, witness: witness))
      } catch {
        await client.shutdown()
        throw error
      }
      await client.shutdown()
    }
  }
}

/// Runs a test against a server on a free port of the loopback address.
func withServer(
  _ dispatcher: Dispatcher, tls: ServerTLS? = nil, limits: ConnectionLimits = .init(),
  connectionsMax: Int = 100, lifetime: ConnectionLifetime = .init(), allowsHTTP1: Bool = false,
  heldBytesMax: Int = 1 << 30,
  _ body: (Server, HostPort, EventLoops) async throws -> Void
) async throws {
  let loops = EventLoops(threads: 2)
  var configuration = ServerConfiguration(
    address: HostPort(host: "127.0.0.1", port: 0), tls: tls)
  configuration.limits = limits
  configuration.connectionsMax = connectionsMax
  configuration.lifetime = lifetime
  configuration.allowsHTTP1 = allowsHTTP1
  configuration.heldBytesMax = heldBytesMax
  let server = Server(configuration: configuration, dispatcher: dispatcher, loops: loops)
  let address = try await server.start()
  do {
    try await body(server, address, loops)
  } catch {
    await server.shutdown(grace: .zero)
    try await loops.shutdown()
    throw error
  }
  await server.shutdown(grace: .zero)
  try await loops.shutdown()
}

func echoDispatcher(_ witness: Witness = Witness()) throws -> Dispatcher {
  Dispatcher(router: try Router(services: [EchoService(witness: witness)]))
}

extension RPC.Channel {
  func call(
    _ method: MethodDescriptor, _ request: Text, options: CallOptions = CallOptions()
  ) async throws -> ClientResponse<Text> {
    try await unary(method, request, options: options)
  }

  func echo(_ text: String, options: CallOptions = CallOptions()) async throws -> String {
    let response: ClientResponse<Text> = try await unary(
      EchoService.unary, Text(text), options: options)
    return response.message.text
  }
}

/// Returns the error that a call fails with.
func failure(_ body: () async throws -> Void) async -> RPCError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? RPCError
  }
}
