import RPC

/// The CORS policy: the origins whose pages may call from a browser.
///
/// Credentials are header fields, never cookies, so a page can only use what it was given. A
/// browser presents its client certificate for any page, so a certificate authenticates no page.
/// Source: WHATWG Fetch, "CORS protocol"; W3C, Fetch Metadata.
public struct BrowserOrigins: Sendable, Hashable {
  /// How long a browser may cache a preflight response.
  private static let maxAgeSeconds = 7_200

  private let allowed: Set<String>

  /// - Parameter allowed: Origins such as `https://console.example.org`; `*` is any.
  public init(_ allowed: [String] = []) { self.allowed = Set(allowed) }

  /// Whether a text is an origin (scheme, host and optional port, nothing else) or `*`.
  static func isOrigin(_ text: String) -> Bool {
    if text == "*" { return true }
    guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else {
      return false
    }
    let rest = text.dropFirst(scheme.count)
    return !rest.isEmpty
      && rest.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-:[]".contains($0)) }
  }

  /// Returns the peer of a request, without its certificate if a page sent it.
  static func peer(of exchange: ServerExchange) -> Peer {
    var peer = exchange.peer
    if isFromPage(exchange.head) { peer.certificate = nil }
    return peer
  }

  /// Whether a browser sent the request on behalf of a page, and not for its user directly.
  static func isFromPage(_ head: RequestHead) -> Bool {
    head.fields["origin"] != nil || !["none", nil].contains(head.fields["sec-fetch-site"])
  }

  /// Request fields that pages may always send.
  private static let fieldNames = [
    "authorization", "x-api-key", "content-type", "accept-language", "grpc-timeout", "x-grpc-web",
    "x-user-agent", "traceparent", "tracestate", "last-event-id",
  ]
  /// The field with the names of the response fields that a page may read.
  private static let exposed = "access-control-expose-headers"

  /// Returns the CORS fields of a response; only `vary`, or nothing, where the origin is not
  /// allowed.
  func fields(for head: RequestHead) -> HeaderList {
    guard let origin = head.fields["origin"], !allowed.isEmpty else { return [:] }
    let isPreflight = head.method == "OPTIONS"
    var fields: HeaderList = [
      "vary": isPreflight ? "origin, access-control-request-headers" : "origin"
    ]
    guard allowed.contains(origin) || allowed.contains("*") else { return fields }
    fields.add("access-control-allow-origin", origin)
    fields.add(
      Self.exposed,
      "grpc-status, grpc-message, grpc-status-details-bin, retry-after, ratelimit, "
        + "ratelimit-policy, x-trace-id")
    guard isPreflight else { return fields }
    fields.add("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
    let asked = (head.fields["access-control-request-headers"] ?? "").lowercased()
      .split(separator: ",").map { String($0.filter { $0 != " " }) }
      .filter { !Self.fieldNames.contains($0) && Self.isMetadata($0) }
    fields.add(
      "access-control-allow-headers", (Self.fieldNames + asked).joined(separator: ", "))
    fields.add("access-control-max-age", String(Self.maxAgeSeconds))
    return fields
  }

  /// Whether a name is one of custom metadata, which any caller may send.
  private static func isMetadata(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "_.-".utf8.contains($0)
      } && !["grpc-", "yijia-"].contains { name.hasPrefix($0) }
  }

  /// Lets a page read the custom fields of a service's response, besides those that it may read.
  static func expose(_ custom: HeaderList, in fields: inout HeaderList) {
    guard let names = fields[exposed], custom.count > 0 else { return }
    let more = (0..<custom.count).map { custom.name(at: $0) }
    fields.set(exposed, ([names] + more).joined(separator: ", "))
  }
}
