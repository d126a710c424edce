import RPC

/// The pages that may call from a browser, by their origin (CORS).
///
/// Credentials are header fields here, never cookies, so that a page can only use what it was
/// given. A client certificate a browser shows for any page, so it proves nothing for pages.
/// Source: WHATWG Fetch, "CORS protocol"; W3C, Fetch Metadata.
public struct BrowserOrigins: Sendable, Hashable {
  /// Answers to preflights may be kept this long.
  private static let maxAgeSeconds = 7_200

  private let allowed: Set<String>

  /// - Parameter allowed: Such as `https://console.example.org`; `*` is any.
  public init(_ allowed: [String] = []) { self.allowed = Set(allowed) }

  /// Whether a text is an origin: scheme, host and perhaps port, and no more; or `*`.
  static func isOrigin(_ text: String) -> Bool {
    if text == "*" { return true }
    guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else {
      return false
    }
    let rest = text.dropFirst(scheme.count)
    return !rest.isEmpty
      && rest.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-:[]".contains($0)) }
  }

  /// Who sends a request; without a certificate where a page does.
  static func peer(of exchange: ServerExchange) -> Peer {
    var peer = exchange.peer
    if isFromPage(exchange.head) { peer.certificate = nil }
    return peer
  }

  /// Whether a browser sends it for a page, and not for whoever sits before it.
  static func isFromPage(_ head: RequestHead) -> Bool {
    head.fields["origin"] != nil || !["none", nil].contains(head.fields["sec-fetch-site"])
  }

  /// What tells a browser that the page may read the answer; empty where it may not.
  func fields(for head: RequestHead) -> HeaderList {
    guard let origin = head.fields["origin"], !allowed.isEmpty else { return [:] }
    var fields: HeaderList = ["vary": "origin"]
    guard allowed.contains(origin) || allowed.contains("*") else { return fields }
    fields.add("access-control-allow-origin", origin)
    fields.add(
      "access-control-expose-headers",
      "grpc-status, grpc-message, grpc-status-details-bin, retry-after, ratelimit, "
        + "ratelimit-policy")
    guard head.method == "OPTIONS" else { return fields }
    fields.add("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE")
    fields.add(
      "access-control-allow-headers",
      "authorization, x-api-key, content-type, accept-language, grpc-timeout, x-grpc-web, "
        + "x-user-agent, traceparent, tracestate")
    fields.add("access-control-max-age", String(Self.maxAgeSeconds))
    return fields
  }
}
