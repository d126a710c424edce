public import ServiceKit

/// Where a gateway is called, and what it shows there: all that a server is made of.
public struct ServedLink: Sendable, Hashable {
  public let address: ListenAddress
  public let certificateFile: String
  public let keyFile: String
  /// Of clients' certificates; empty: clients are asked for none.
  public let authoritiesFile: String
  /// Whether a client must show one.
  public let isMutual: Bool
  public let isPlaintext: Bool
  /// Whether HTTP/1.1 is spoken too.
  public let allowsHTTP1: Bool
}

extension GatewayConfiguration {
  /// Where callers reach the suite.
  public var edge: ServedLink {
    ServedLink(
      address: listen, certificateFile: certificate.certificateFile, keyFile: certificate.keyFile,
      authoritiesFile: certificate.clientAuthoritiesFile, isMutual: false, isPlaintext: plaintext,
      allowsHTTP1: true)
  }

  /// Where operators reach the store, as workloads of the suite.
  public var inner: ServedLink {
    ServedLink(
      address: operations, certificateFile: tls.certificateFile, keyFile: tls.keyFile,
      authoritiesFile: tls.authorityFile, isMutual: true, isPlaintext: false, allowsHTTP1: false)
  }
}
