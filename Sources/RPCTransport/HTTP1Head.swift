package import NIOCore
package import NIOHTTP1
package import RPC

/// Converts HTTP/1.1 heads from and to HTTP/2 fields, which all exchange handlers use.
/// Source: RFC 9113, section 8.2.2 and 8.3.1; RFC 9112, sections 3 and 6.
package enum HTTP1Head {
  /// Fields about the connection instead of the exchange, besides those that `connection` names.
  private static let hops: Set<String> = [
    "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "host",
    "expect",
  ]

  /// Returns the fields of a request, pseudo-headers first. Nil if the request cannot be trusted:
  /// no host, several, or an invalid one, several lengths, a length and a transfer coding, or a
  /// coding other than `chunked`.
  package static func fields(of head: HTTPRequestHead, isTLS: Bool) -> HeaderList? {
    let headers = head.headers
    let hosts = headers["host"]
    guard hosts.count == 1 || (hosts.isEmpty && head.version == .http1_0), head.method != .CONNECT
    else { return nil }
    let lengths = headers["content-length"]
    let codings = headers["transfer-encoding"]
    guard codings.isEmpty || (lengths.isEmpty && codings.map { $0.lowercased() } == ["chunked"]),
      lengths.count <= 1, let target = target(head.uri),
      (hosts + [target.host].compactMap { $0 }).allSatisfy(isHost)
    else { return nil }
    var list = HeaderList()
    list.reserve(bytes: 256, fields: headers.count + 4)
    list.add(":method", head.method.rawValue)
    list.add(":scheme", isTLS ? "https" : "http")
    // RFC 9112, section 3.2.2: the host of an absolute target replaces the field.
    if let host = target.host ?? hosts.first { list.add(":authority", host) }
    list.add(":path", target.path)
    let named = Set(headers[canonicalForm: "connection"].map { $0.lowercased() })
    for (name, value) in headers {
      let name = name.lowercased()
      if !hops.contains(name), !named.contains(name) { list.add(name, value) }
    }
    return list
  }

  /// Returns the path of a request target in origin or absolute form, or `*`, and the host that
  /// the target names.
  private static func target(_ target: String) -> (path: String, host: String?)? {
    if target.hasPrefix("/") || target == "*" { return (target, nil) }
    for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
      let rest = target.dropFirst(scheme.count)
      let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
      let path = rest[end...]
      return (path.hasPrefix("/") ? String(path) : "/" + path, String(rest[..<end]))
    }
    return nil
  }

  /// Whether a text is a host with an optional port, or empty, without userinfo.
  /// Source: RFC 9112, section 3.2; RFC 3986, section 3.2.2.
  private static func isHost(_ text: String) -> Bool {
    var name = text.utf8[...]
    if name.first == UInt8(ascii: "[") {
      guard let end = name.firstIndex(of: UInt8(ascii: "]")),
        name[..<end].dropFirst().allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: ":") })
      else { return false }
      name = name[end...].dropFirst()
      return name.isEmpty || isPort(name)
    }
    let end = name.firstIndex(of: UInt8(ascii: ":")) ?? name.endIndex
    return name[..<end].allSatisfy(isNameByte) && (end == name.endIndex || isPort(name[end...]))
  }

  private static func isPort(_ text: Substring.UTF8View) -> Bool {
    text.first == UInt8(ascii: ":")
      && text.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    let scalar = Character(UnicodeScalar(byte))
    return scalar.isASCII && (scalar.isLetter || scalar.isNumber)
      || "-._~%!$&'()*+,;=".utf8.contains(byte)
  }

  /// Returns a response head. The encoder adds the length of the body or the chunked coding.
  static func response(_ list: HeaderList, version: HTTPVersion, isLast: Bool) -> HTTPResponseHead {
    // Only a failed handler responds without an HTTP status of its own.
    let isFailedCall = list["grpc-status"].map { $0 != "0" } ?? false
    let code = isFailedCall ? 500 : list[":status"].flatMap { Int($0) } ?? 500
    var headers = trailers(list)
    if isLast { headers.add(name: "connection", value: "close") }
    return HTTPResponseHead(
      version: version, status: HTTPResponseStatus(statusCode: code), headers: headers)
  }

  /// Returns the fields without the pseudo-headers.
  static func trailers(_ list: HeaderList) -> HTTPHeaders {
    var headers = HTTPHeaders()
    for index in 0..<list.count {
      let name = list.name(at: index)
      if !name.hasPrefix(":") { headers.add(name: name, value: list.value(at: index)) }
    }
    return headers
  }
}

/// The channel handlers of HTTP/1.1.
package enum HTTP1Pipeline {
  /// Adds NIO's codec, which responds to pipelined requests in order and enforces the header
  /// limits.
  package static func addHandlers(
    to pipeline: ChannelPipeline.SynchronousOperations, limits: ConnectionLimits = .init()
  ) throws {
    var decoder = NIOHTTPDecoderLimitConfiguration()
    decoder.maxHeaderFieldSize = limits.headerListBytesMax
    decoder.maxHeaderListSize = limits.headerListBytesMax
    decoder.maxHeaderFieldCount = limits.headerFieldsMax
    try pipeline.configureHTTPServerPipeline(
      withErrorHandling: false, withEncoderConfiguration: .init(),
      withDecoderLimitConfiguration: decoder)
  }
}
