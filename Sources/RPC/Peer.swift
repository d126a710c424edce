/// Who is at the other end of a connection.
public struct Peer: Sendable, Hashable {
  /// `127.0.0.1:4711`, `[::1]:4711`, or a name of the transport such as `in-process`.
  public var address: String
  /// The URI subject alternative names of the peer's certificate; empty unless it was verified.
  public var certificateURIs: [String]
  /// Whether the connection is TLS.
  public var isTLS: Bool

  public init(address: String, certificateURIs: [String] = [], isTLS: Bool = false) {
    self.address = address
    self.certificateURIs = certificateURIs
    self.isTLS = isTLS
  }
}
