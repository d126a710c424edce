import Dispatch
import Glibc
import NIOCore

/// Resolves host names.
enum HostResolver {
  /// The error of a name that could not be resolved, or has no addresses.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// The most addresses of a name that are used: bounds the connections a name server can cause.
  static let addressesMax = 64

  /// Returns the address of a target that needs no resolution: an IP address, or the path of a
  /// socket.
  static func address(_ target: HostPort) -> SocketAddress? {
    if let path = target.socketPath { return try? SocketAddress(unixDomainSocketPath: path) }
    return try? SocketAddress(ipAddress: target.host, port: target.port)
  }

  /// Resolves a name on a thread that may block.
  static func resolve(
    _ target: HostPort, _ done: @escaping @Sendable (Result<[SocketAddress], Failure>) -> Void
  ) {
    DispatchQueue.global().async { done(Result { () throws(Failure) in try lookUp(target) }) }
  }

  private static func lookUp(_ target: HostPort) throws(Failure) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(target.host, nil, &hints, &list)
    guard code == 0 else {
      throw Failure(description: String(cString: gai_strerror(code)))
    }
    // Owned here until the end of the function.
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next, addresses.count < addressesMax {
      next = entry.pointee.ai_next
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let isNamed =
        getnameinfo(
          entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
          NI_NUMERICHOST) == 0
      let host = String(
        decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard isNamed, let address = try? SocketAddress(ipAddress: host, port: target.port),
        !addresses.contains(address)
      else { continue }
      addresses.append(address)
    }
    guard !addresses.isEmpty else { throw Failure(description: "the name has no addresses") }
    return addresses
  }
}
