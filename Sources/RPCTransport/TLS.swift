internal import NIOCore
internal import NIOSSL

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#endif

/// The time limit for the peer's answer to close_notify. HTTP/2 itself signals its end, so the
/// answer is of no use (RFC 8446, section 6.1), and some peers, grpcio among them, send none.
private let closeMax = TimeAmount.milliseconds(100)

/// A TLS identity, as PEM files.
public struct TLSFiles: Sendable, Hashable {
  /// The file of the certificate chain, leaf first.
  public var certificateChain: String
  /// The file of its private key.
  public var privateKey: String

  /// Creates an identity of two PEM files, which are read when it is used.
  public init(certificateChain: String, privateKey: String) {
    self.certificateChain = certificateChain
    self.privateKey = privateKey
  }
}

/// The TLS settings of a server.
public struct ServerTLS: Sendable, Hashable {
  /// What is required of clients.
  public enum ClientCertificate: Sendable, Hashable {
    /// No certificate is requested.
    case none
    /// A certificate is verified against the authorities in that file, if there is one.
    case optional(authorities: String)
    /// Mutual TLS: a client without a certificate of these authorities is refused.
    case required(authorities: String)
  }

  /// The server's own certificate.
  public var identity: TLSFiles
  /// What is required of clients.
  public var clients: ClientCertificate

  /// Creates the settings of a server; by default it asks clients for no certificate.
  public init(identity: TLSFiles, clients: ClientCertificate = .none) {
    self.identity = identity
    self.clients = clients
  }

  /// Loads all files as a start does, without using them.
  /// - Throws: `TLSError` with the file that cannot be used.
  public func check() throws { _ = try makeContext(protocols: ["h2"]) }

  /// Creates the context of connections.
  /// - Parameter protocols: The ALPN protocols, the preferred one first.
  /// - Throws: `TLSError` with the file that cannot be used.
  func makeContext(protocols: [String]) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try identity.loadChain(), privateKey: try identity.loadKey())
    configuration.restrict(to: protocols)
    switch clients {
    case .none: configuration.certificateVerification = .none
    case .optional(let authorities):
      configuration.certificateVerification = .optionalVerification
      configuration.trustRoots = try TLSFiles.loadAuthorities(authorities)
    case .required(let authorities):
      configuration.certificateVerification = .noHostnameVerification
      configuration.trustRoots = try TLSFiles.loadAuthorities(authorities)
    }
    return try identity.context(configuration)
  }
}

/// TLS files that were loaded and can be used. See ``Server/credentials(_:)``.
public struct ServerCredentials: Sendable {
  let context: NIOSSLContext
}

/// The TLS settings of a client.
public struct ClientTLS: Sendable, Hashable {
  /// What the server's certificate has to be for.
  public enum ServerName: Sendable, Hashable {
    /// The host that is connected to, by name or address.
    case target
    /// This host name, or the address, which NIOSSL accepts too.
    case host(String)
    /// This URI, such as `spiffe://yijia/members`, whatever the host.
    case uri(String)
  }

  /// The file of the trusted authorities; nil for the system's.
  public var authorities: String?
  /// The client's own certificate, for mutual TLS.
  public var identity: TLSFiles?
  /// What the server's certificate has to be for.
  public var serverName: ServerName

  /// Creates the settings of a client; by default it trusts the system's authorities, has no
  /// certificate of its own and verifies the host of the target.
  public init(
    authorities: String? = nil, identity: TLSFiles? = nil, serverName: ServerName = .target
  ) {
    self.authorities = authorities
    self.identity = identity
    self.serverName = serverName
  }

  /// Loads all files as a connection does, without using them.
  /// - Throws: `TLSError` with the file that cannot be used.
  public func check() throws { _ = try makeContext() }

  /// Creates the context of connections.
  /// - Parameter protocols: The ALPN protocols, the preferred one first.
  /// - Throws: `TLSError` with the file that cannot be used.
  func makeContext(protocols: [String] = ["h2"]) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.restrict(to: protocols)
    if let authorities { configuration.trustRoots = try TLSFiles.loadAuthorities(authorities) }
    if let identity {
      configuration.certificateChain = try identity.loadChain()
      configuration.privateKey = try identity.loadKey()
    }
    if case .uri = serverName { configuration.certificateVerification = .noHostnameVerification }
    return try identity?.context(configuration) ?? NIOSSLContext(configuration: configuration)
  }

  /// Returns the host to verify; nil if a URI is verified instead.
  func hostname(for target: HostPort) -> String? {
    switch serverName {
    case .target: target.host
    case .host(let name): name
    case .uri: nil
    }
  }

  /// Returns a host in the form for SNI; nil for addresses and socket paths, which SNI does not
  /// allow.
  static func indicated(_ host: String) -> String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil && !host.hasPrefix("unix:") ? host : nil
  }
}

/// The error of a TLS file that cannot be used.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file that cannot be used.
  public let file: String
  /// Why it cannot be used.
  public let reason: String

  /// The file and the reason.
  public var description: String { "\(file): \(reason)" }
}

extension TLSConfiguration {
  /// Sets what both sides negotiate: these ALPN protocols, and TLS 1.3, or 1.2 with suites that
  /// RFC 9113 does not prohibit for HTTP/2 (section 9.2.2 and appendix A).
  fileprivate mutating func restrict(to protocols: [String]) {
    minimumTLSVersion = .tlsv12
    cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
    shutdownTimeout = closeMax
    applicationProtocols = protocols
  }
}

extension TLSFiles {
  /// Creates a context with this identity.
  /// - Throws: `TLSError` where the key is not that of the certificate.
  func context(_ configuration: TLSConfiguration) throws -> NIOSSLContext {
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw TLSError(
        file: privateKey, reason: "it is not the key of the certificate in \(certificateChain)")
    }
  }

  func loadChain() throws(TLSError) -> [NIOSSLCertificateSource] {
    try Self.load(certificateChain, "PEM certificate") {
      try NIOSSLCertificate.fromPEMFile($0).map { .certificate($0) }
    }
  }

  func loadKey() throws(TLSError) -> NIOSSLPrivateKeySource {
    try Self.load(privateKey, "PEM private key") {
      .privateKey(try NIOSSLPrivateKey(file: $0, format: .pem))
    }
  }

  static func loadAuthorities(_ file: String) throws(TLSError) -> NIOSSLTrustRoots {
    try load(file, "PEM certificate") { .certificates(try NIOSSLCertificate.fromPEMFile($0)) }
  }

  private static func load<Value>(
    _ file: String, _ content: String, _ body: (String) throws -> Value
  ) throws(TLSError) -> Value {
    do {
      return try body(file)
    } catch {
      let descriptor = open(file, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        throw TLSError(file: file, reason: String(cString: strerror(errno)))
      }
      _ = close(descriptor)
      throw TLSError(file: file, reason: "it holds no \(content)")
    }
  }
}
