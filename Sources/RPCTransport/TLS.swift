internal import NIOCore
internal import NIOSSL

/// How long the peer may take to answer our close_notify. HTTP/2 says itself when it is over, so
/// the answer is of no use (RFC 8446, section 6.1), and some peers, grpcio among them, give none.
private let closeMax = TimeAmount.milliseconds(100)

/// A TLS identity and what it trusts, as PEM files.
public struct TLSFiles: Sendable, Hashable {
  /// The certificate chain, leaf first.
  public var certificateChain: String
  /// Its private key.
  public var privateKey: String

  public init(certificateChain: String, privateKey: String) {
    self.certificateChain = certificateChain
    self.privateKey = privateKey
  }
}

/// TLS of a server.
public struct ServerTLS: Sendable, Hashable {
  /// What is asked of clients.
  public enum ClientCertificate: Sendable, Hashable {
    case none
    /// Verified when there is one, against the authorities in that file.
    case optional(authorities: String)
    /// Mutual TLS: a client without a certificate of these authorities is refused.
    case required(authorities: String)
  }

  /// Our own certificate, and what is asked of clients.
  public var identity: TLSFiles
  public var clients: ClientCertificate

  public init(identity: TLSFiles, clients: ClientCertificate = .none) {
    self.identity = identity
    self.clients = clients
  }

  /// - Parameter protocols: for ALPN, the preferred one first.
  /// - Throws: `TLSError` naming the file that cannot be used.
  func makeContext(protocols: [String]) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try identity.loadChain(), privateKey: try identity.loadKey())
    configuration.minimumTLSVersion = .tlsv12
    configuration.shutdownTimeout = closeMax
    configuration.applicationProtocols = protocols
    switch clients {
    case .none: configuration.certificateVerification = .none
    case .optional(let authorities):
      configuration.certificateVerification = .optionalVerification
      configuration.trustRoots = try TLSFiles.loadAuthorities(authorities)
    case .required(let authorities):
      configuration.certificateVerification = .noHostnameVerification
      configuration.trustRoots = try TLSFiles.loadAuthorities(authorities)
    }
    return try NIOSSLContext(configuration: configuration)
  }
}

/// TLS files that were read and can be used. See ``Server/credentials(_:)``.
public struct ServerCredentials: Sendable {
  let context: NIOSSLContext
}

/// TLS of a client.
public struct ClientTLS: Sendable, Hashable {
  /// How the server shows that it is the right one.
  public enum ServerName: Sendable, Hashable {
    /// The certificate is for the host that is connected to, by name or address.
    case target
    /// The certificate is for this host name, or (NIOSSL takes that too) for the address.
    case host(String)
    /// The certificate has this URI, such as `spiffe://yijia/members`, whatever the host.
    case uri(String)
  }

  /// Whom to trust; nil for the system's authorities.
  public var authorities: String?
  /// Our own certificate, for mutual TLS.
  public var identity: TLSFiles?
  public var serverName: ServerName

  public init(
    authorities: String? = nil, identity: TLSFiles? = nil, serverName: ServerName = .target
  ) {
    self.authorities = authorities
    self.identity = identity
    self.serverName = serverName
  }

  /// - Parameter protocols: for ALPN, the preferred one first.
  /// - Throws: `TLSError` naming the file that cannot be used.
  func makeContext(protocols: [String] = ["h2"]) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.shutdownTimeout = closeMax
    configuration.applicationProtocols = protocols
    if let authorities { configuration.trustRoots = try TLSFiles.loadAuthorities(authorities) }
    if let identity {
      configuration.certificateChain = try identity.loadChain()
      configuration.privateKey = try identity.loadKey()
    }
    if case .uri = serverName { configuration.certificateVerification = .noHostnameVerification }
    return try NIOSSLContext(configuration: configuration)
  }

  /// The name to verify and to ask for (SNI); nil when the target is an address or a URI decides.
  func hostname(for target: HostPort) -> String? {
    switch serverName {
    case .target: target.host
    case .host(let name): name
    case .uri: nil
    }
  }

  /// A name as servers may be asked for it (SNI); nil for addresses, which are not allowed there.
  static func indicated(_ host: String) -> String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil && !host.hasPrefix("unix:") ? host : nil
  }
}

/// A file of TLS material that cannot be used.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file that cannot be used, and why.
  public let file: String
  public let reason: String

  public var description: String { "\(file): \(reason)" }
}

extension TLSFiles {
  func loadChain() throws(TLSError) -> [NIOSSLCertificateSource] {
    try Self.load(certificateChain) {
      try NIOSSLCertificate.fromPEMFile($0).map { .certificate($0) }
    }
  }

  func loadKey() throws(TLSError) -> NIOSSLPrivateKeySource {
    try Self.load(privateKey) { .privateKey(try NIOSSLPrivateKey(file: $0, format: .pem)) }
  }

  static func loadAuthorities(_ file: String) throws(TLSError) -> NIOSSLTrustRoots {
    try load(file) { .certificates(try NIOSSLCertificate.fromPEMFile($0)) }
  }

  private static func load<Value>(
    _ file: String, _ body: (String) throws -> Value
  ) throws(TLSError) -> Value {
    do {
      return try body(file)
    } catch {
      throw TLSError(file: file, reason: "\(error)")
    }
  }
}
