internal import NIOCore

/// A host, by name or address, and a port; or the path of a Unix socket, as the host `unix:PATH`.
public struct HostPort: Sendable, Hashable {
  /// The name or the address, or `unix:PATH`.
  public var host: String
  /// The TCP port; 0 for a Unix socket.
  public var port: Int

  /// Creates an address; nothing is resolved or checked.
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Parses `host:port`, `[v6]:port` or `unix:PATH`; nil if the text is none of these. Before a
  /// host there may be `dns:///`, the scheme that gRPC's naming document calls the default.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      self.init(host: text, port: 0)
      guard socketPath?.isEmpty == false else { return nil }
      return
    }
    let name = text.hasPrefix("dns:///") ? text.dropFirst(7) : text[...]
    guard let colon = name.lastIndex(of: ":"),
      let port = Int(name[name.index(after: colon)...]), port >= 0, port <= 65535
    else { return nil }
    var host = name[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, !host.contains("["), !host.contains("/") else { return nil }
    self.init(host: String(host), port: port)
  }
}

extension HostPort: CustomStringConvertible {
  /// The form that ``init(_:)`` parses: `host:port`, `[v6]:port` or `unix:PATH`.
  public var description: String {
    if socketPath != nil { return host }
    return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}

extension HostPort {
  init(_ address: SocketAddress?) {
    if let path = address?.pathname {
      self.init(host: "unix:\(path)", port: 0)
    } else {
      self.init(host: address?.ipAddress ?? "unknown", port: address?.port ?? 0)
    }
  }

  /// The path of a Unix socket, if this is one: `unix:PATH` or `unix:///PATH`.
  var socketPath: String? {
    guard host.hasPrefix("unix:") else { return nil }
    return String(host.dropFirst(host.hasPrefix("unix:///") ? 7 : 5))
  }
}
