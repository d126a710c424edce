/// Who is at the other end of a connection.
public struct Peer: Sendable, Hashable {
  /// `127.0.0.1:4711`, `[::1]:4711`, or a name of the transport such as `in-process`.
  public var address: String
  /// Its certificate; nil unless it was verified.
  public var certificate: PeerCertificate?
  /// Whether the connection is TLS.
  public var isTLS: Bool

  public init(address: String, certificate: PeerCertificate? = nil, isTLS: Bool = false) {
    self.address = address
    self.certificate = certificate
    self.isTLS = isTLS
  }

  public init(address: String, certificateURIs: [String], isTLS: Bool = false) {
    self.init(address: address, certificate: PeerCertificate(uris: certificateURIs), isTLS: isTLS)
  }

  /// The URI subject alternative names of the peer's certificate; empty unless it was verified.
  public var certificateURIs: [String] { certificate?.uris ?? [] }
}

/// A peer's certificate that was verified. Never changes; one a connection.
public final class PeerCertificate: Sendable, Hashable {
  /// As it came (X.690).
  public let der: [UInt8]
  /// Its URI subject alternative names.
  public let uris: [String]
  /// Its DNS subject alternative names, as they are written.
  public let dnsNames: [String]
  /// When it ends, in microseconds since 1970.
  public let expiresAt: Int64

  public init(
    der: [UInt8] = [], uris: [String] = [], dnsNames: [String] = [], expiresAt: Int64 = .max
  ) {
    self.der = der
    self.uris = uris
    self.dnsNames = dnsNames
    self.expiresAt = expiresAt
  }

  /// Whether both say the same.
  public static func == (one: PeerCertificate, other: PeerCertificate) -> Bool {
    one === other
      || (one.der == other.der && one.uris == other.uris && one.dnsNames == other.dnsNames
        && one.expiresAt == other.expiresAt)
  }

  /// What ``==(_:_:)`` compares.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(der)
    hasher.combine(uris)
    hasher.combine(dnsNames)
  }
}
