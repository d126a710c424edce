/// The remote end of a connection.
public struct Peer: Sendable, Hashable {
  /// The socket address, `127.0.0.1:4711` or `[::1]:4711`, or a transport's name such as
  /// `in-process`.
  public var address: String
  /// The peer's certificate; nil unless it was verified.
  public var certificate: PeerCertificate?
  /// Whether the connection uses TLS.
  public var isTLS: Bool

  /// Creates a peer. Give only a certificate that was verified: whoever reads it trusts it.
  public init(address: String, certificate: PeerCertificate? = nil, isTLS: Bool = false) {
    self.address = address
    self.certificate = certificate
    self.isTLS = isTLS
  }

  /// Creates a peer with a certificate of these URI subject alternative names.
  public init(address: String, certificateURIs: [String], isTLS: Bool = false) {
    self.init(address: address, certificate: PeerCertificate(uris: certificateURIs), isTLS: isTLS)
  }

  /// The URI subject alternative names of the peer's certificate; empty unless it was verified.
  public var certificateURIs: [String] { certificate?.uris ?? [] }
}

/// A verified certificate of a peer. Immutable; one instance per connection.
public final class PeerCertificate: Sendable, Hashable {
  /// The DER encoding (X.690).
  public let der: [UInt8]
  /// The URI subject alternative names.
  public let uris: [String]
  /// The DNS subject alternative names, as written in the certificate.
  public let dnsNames: [String]
  /// The end of the validity, in microseconds since 1970.
  public let expiresAt: Int64

  /// Creates a certificate of these properties; it verifies nothing.
  /// - Parameter expiresAt: The end of the validity, in microseconds since 1970.
  public init(
    der: [UInt8] = [], uris: [String] = [], dnsNames: [String] = [], expiresAt: Int64 = .max
  ) {
    self.der = der
    self.uris = uris
    self.dnsNames = dnsNames
    self.expiresAt = expiresAt
  }

  /// Returns whether all properties are equal.
  public static func == (one: PeerCertificate, other: PeerCertificate) -> Bool {
    one === other
      || (one.der == other.der && one.uris == other.uris && one.dnsNames == other.dnsNames
        && one.expiresAt == other.expiresAt)
  }

  /// Hashes the encoding and the names.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(der)
    hasher.combine(uris)
    hasher.combine(dnsNames)
  }
}
