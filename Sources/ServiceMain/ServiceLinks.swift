public import Logging
import RPC
public import RPCTransport
public import ServiceKit

extension ServiceConfiguration {
  /// Mutual TLS of the inner link, on which the service is called.
  public var serverTLS: ServerTLS {
    ServerTLS(identity: identity, clients: .required(authorities: tls.authorityFile))
  }

  /// Mutual TLS of a link to another service.
  public func clientTLS(to service: ServiceAddress) -> ClientTLS {
    ClientTLS(
      authorities: tls.authorityFile, identity: identity, serverName: .uri(service.identity))
  }

  private var identity: TLSFiles {
    TLSFiles(certificateChain: tls.certificateFile, privateKey: tls.keyFile)
  }

  /// The server of the inner link.
  public var innerServer: ServerConfiguration {
    var link = ServerConfiguration(
      address: HostPort(host: listen.host, port: listen.port), tls: serverTLS)
    link.limits = .trusted
    return link
  }

  /// The server of the admin port: plaintext, on loopback.
  public var adminServer: ServerConfiguration {
    ServerConfiguration(admin: HostPort(host: admin.host, port: admin.port))
  }
}

/// Starts to listen on all servers: the end of a start, most of whose code does not run again.
public func listen(_ servers: [Server], _ logger: Logger) async throws {
  for server in servers { try await server.listen(logger) }
  ProcessMemory.releaseCode()
}

extension Server {
  /// Starts to listen, and logs the address.
  func listen(_ logger: Logger) async throws {
    let address = try await start()
    logger.notice("listening", metadata: ["address": "\(address)"])
  }

  /// Reads the configuration of a service anew, and uses its TLS files for new connections and its
  /// log level. Other changes take effect at the next start. An invalid configuration is logged and
  /// changes nothing.
  public func reload(_ logger: Logger, _ read: () throws -> ServiceConfiguration) {
    do {
      let next = try read()
      use(try credentials(next.serverTLS))
      Observation.logLevel = Logger.Level(rawValue: next.logLevel) ?? .info
      logger.notice("log_level and TLS files were read anew")
    } catch {
      logger.error(
        "the configuration is refused, the one before stays", metadata: ["cause": "\(error)"])
    }
  }
}
