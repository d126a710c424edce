import Crypto
import RPC
import ServiceKit

/// A page or a part of one: its content, and what the head of a response says of it.
struct ServedPage: Sendable {
  let body: [UInt8]
  /// The media type.
  let type: String
  /// The content security policy.
  let policy: String
  let etag: String

  /// - Parameter sources: What the page may load, as directives of a content security policy; all
  ///   else is forbidden.
  init(_ body: [UInt8], type: String, sources: String) {
    self.body = body
    self.type = type
    policy =
      "default-src 'none'; \(sources); base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    etag = "\"\(Self.base64(SHA256.hash(data: body).prefix(12)))\""
  }

  /// The source of an inline script, by its hash.
  static func source(ofScript script: String) -> String {
    "'sha256-\(base64(SHA256.hash(data: Array(script.utf8))))'"
  }

  private static func base64(_ bytes: some Sequence<UInt8>) -> String {
    let text = Base64.encode(Array(bytes))
    return text + String(repeating: "=", count: (4 - text.count % 4) % 4)
  }

  /// Whether the caller has the page already. Proxies that compress a page make its tag a weak one.
  /// Source: RFC 9110, section 13.1.2.
  fileprivate func isKnown(to head: RequestHead) -> Bool {
    (head.fields["if-none-match"] ?? "").split(separator: ",").contains { tag in
      ["*", etag, "W/\(etag)"].contains(String(tag.filter { $0 != " " }))
    }
  }
}

/// The answers that a request for a page can get.
struct PageAnswer {
  let exchange: ServerExchange
  /// Origins of other pages that may read the answer.
  var origins = BrowserOrigins()

  /// Serves the page of the request's path to GET and HEAD, without its body to who has it already.
  ///
  /// - Parameter language: Of the page, where it depends on `accept-language`.
  func page(_ page: ServedPage, in language: Language? = nil) async {
    guard reads else { return await allow() }
    let isKnown = page.isKnown(to: exchange.head)
    var head: HeaderList = [
      ":status": isKnown ? "304" : "200", "etag": page.etag, "cache-control": "no-cache",
      "content-security-policy": page.policy, "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    ]
    if let language {
      head.add("content-language", language.tag)
      head.add("vary", "accept-language")
    }
    head.add(contentsOf: origins.fields(for: exchange.head))
    guard !isKnown else { return await end(head) }
    head.add("content-type", page.type)
    head.add("content-length", String(page.body.count))
    guard exchange.head.method == "GET" else { return await end(head) }
    await send(head)
    try? await exchange.send(page.body)
    await exchange.finish()
  }

  /// Leads GET and HEAD to another path.
  func redirect(to path: String) async {
    guard reads else { return await allow() }
    await end([":status": "302", "location": path])
  }

  /// Answers that the page cannot be made.
  func failure() async { await end([":status": "500"]) }

  private var reads: Bool { ["GET", "HEAD"].contains(exchange.head.method) }

  /// Answers OPTIONS, and refuses what is neither GET nor HEAD.
  /// Source: RFC 9110, sections 9.3.7 and 15.5.6.
  private func allow() async {
    var head: HeaderList = [
      ":status": exchange.head.method == "OPTIONS" ? "204" : "405", "allow": "GET, HEAD, OPTIONS",
    ]
    head.add(contentsOf: origins.fields(for: exchange.head))
    await end(head)
  }

  /// Sends a response without a body.
  private func end(_ head: HeaderList) async { await send(head, endsStream: true) }

  private func send(_ head: HeaderList, endsStream: Bool = false) async {
    var head = head
    if exchange.peer.isTLS, !isLocal { head.add("strict-transport-security", Self.strictTransport) }
    head.addDate()
    await exchange.sendHead(head, endsStream: endsStream)
  }

  /// For a year, browsers speak nothing but TLS with this host: a page holds the token of a
  /// session. Source: RFC 6797.
  private static let strictTransport = "max-age=31536000"

  /// Whether the browser is on the same machine: there the field would hold for every other program
  /// that a developer runs.
  private var isLocal: Bool {
    let fields = exchange.head.fields
    let authority = fields[":authority"] ?? fields["host"] ?? ""
    return authority.prefix { $0 != ":" }.lowercased() == "localhost"
  }
}

extension RequestHead {
  /// The path without the query.
  var pagePath: Substring {
    path[..<(path.utf8.firstIndex(of: UInt8(ascii: "?")) ?? path.endIndex)]
  }
}
