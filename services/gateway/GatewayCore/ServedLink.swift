public import ServiceKit

/// The address and TLS settings that a server is created from.
public struct ServedLink: Sendable, Hashable {
  /// Address to listen on.
  public let address: ListenAddress
  /// The server's certificate chain, PEM.
  public let certificateFile: String
  /// The server's private key, PEM.
  public let keyFile: String
  /// Trusted authorities of client certificates; empty: clients are asked for none.
  public let authoritiesFile: String
  /// Whether a client certificate is required.
  public let isMutual: Bool
  /// Whether the server uses no TLS.
  public let isPlaintext: Bool
  /// Whether HTTP/1.1 is served too.
  public let allowsHTTP1: Bool
  /// The most connections at once.
  public let connectionsMax: Int
}

extension GatewayConfiguration {
  /// The edge server's address and certificate.
  public var edge: ServedLink {
    ServedLink(
      address: listen, certificateFile: certificate.certificateFile, keyFile: certificate.keyFile,
      authoritiesFile: certificate.clientAuthoritiesFile, isMutual: false, isPlaintext: plaintext,
      allowsHTTP1: true, connectionsMax: connectionsMax)
  }

  /// Most connections of operators' commands.
  private static let operatorsMax = 1_000

  /// The operators' server, for workloads of the suite.
  public var inner: ServedLink {
    ServedLink(
      address: operations, certificateFile: tls.certificateFile, keyFile: tls.keyFile,
      authoritiesFile: tls.authorityFile, isMutual: true, isPlaintext: false,
      allowsHTTP1: false, connectionsMax: Self.operatorsMax)
  }
}
