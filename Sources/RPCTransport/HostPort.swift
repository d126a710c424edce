internal import NIOCore

/// A host, by name or address, and a port.
public struct HostPort: Sendable, Hashable {
  public var host: String
  public var port: Int

  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Parses `host:port` and `[v6]:port`; nil when it is neither.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"),
      let port = Int(text[text.index(after: colon)...]), port >= 0, port <= 65535
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, !host.contains("[") else { return nil }
    self.init(host: String(host), port: port)
  }
}

extension HostPort: CustomStringConvertible {
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension HostPort {
  init(_ address: SocketAddress?) {
    self.init(host: address?.ipAddress ?? "unknown", port: address?.port ?? 0)
  }
}
