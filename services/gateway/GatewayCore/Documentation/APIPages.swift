import Crypto
public import RPC
import ServiceKit
import Synchronization

/// Serves the API documentation: `/openapi.json`, a page about it at `/docs`, and the policy table
/// at `/docs/policy`, each in the language of `accept-language`. Public, like the contracts; built
/// on first request and cached. `/` leads to the page.
///
/// Safe to use from any task.
public struct APIPages: ExchangeHandler {
  /// A rendered page.
  private struct Page: Sendable {
    let body: [UInt8]
    let type: String
    /// The content security policy: nothing but the page itself, and its script by hash.
    let policy: String
    let etag: String

    init(_ body: [UInt8], type: String, scripts: [String] = []) {
      self.body = body
      self.type = type
      let hashes = scripts.map { script in
        "'sha256-\(Base64.padded(Array(SHA256.hash(data: Array(script.utf8)))))'"
      }
      policy =
        "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src "
        + (hashes.isEmpty ? "'none'" : hashes.joined(separator: " "))
        + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
      etag = "\"\(Base64.padded(Array(SHA256.hash(data: body)).prefix(12)))\""
    }
  }

  private struct Key: Hashable {
    let path: String
    let language: Language
  }

  private final class Pages: Sendable {
    let made = Mutex<[Key: Page]>([:])
  }

  private static let paths = ["/openapi.json", "/docs", "/docs/policy"]
  /// Paths that people type for `/docs`.
  private static let otherPaths = ["/", "/docs/", "/docs/policy/"]

  private let contracts: [Contract]
  private let configuration: GatewayConfiguration
  private let origins: BrowserOrigins
  private let pages = Pages()

  /// - Parameter configuration: Opaque services and default limits, for the policy page.
  public init(
    contracts: [Contract] = Contract.all, _ configuration: GatewayConfiguration,
    origins: BrowserOrigins
  ) {
    self.contracts = contracts
    self.configuration = configuration
    self.origins = origins
  }

  public func claims(_ head: RequestHead) -> Bool {
    let path = Self.path(of: head)
    return Self.paths.contains(path) || Self.otherPaths.contains(path)
  }

  public func serve(_ exchange: ServerExchange) async {
    let path = Self.path(of: exchange.head)
    guard ["GET", "HEAD"].contains(exchange.head.method) else { return await allow(exchange) }
    guard Self.paths.contains(path) else {
      let place = path == "/docs/policy/" ? "/docs/policy" : "/docs"
      return await Self.end([":status": "302", "location": place], exchange)
    }
    let language = Language(acceptLanguage: exchange.head.fields["accept-language"])
    guard let page = try? page(Key(path: path, language: language)) else {
      return await Self.end([":status": "500"], exchange)
    }
    let isKnown = Self.isKnown(page.etag, to: exchange.head)
    var head: HeaderList = [
      ":status": isKnown ? "304" : "200", "etag": page.etag, "cache-control": "no-cache",
      "content-language": language.tag, "vary": "accept-language",
      "content-security-policy": page.policy, "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    ]
    head.add(contentsOf: origins.fields(for: exchange.head))
    guard !isKnown else { return await Self.end(head, exchange) }
    head.add("content-type", page.type)
    head.add("content-length", String(page.body.count))
    guard exchange.head.method == "GET" else { return await Self.end(head, exchange) }
    head.addDate()
    await exchange.sendHead(head)
    try? await exchange.send(page.body)
    await exchange.finish()
  }

  /// Answers OPTIONS, and refuses what is neither GET nor HEAD.
  /// Source: RFC 9110, sections 9.3.7 and 15.5.6.
  private func allow(_ exchange: ServerExchange) async {
    var head: HeaderList = [
      ":status": exchange.head.method == "OPTIONS" ? "204" : "405", "allow": "GET, HEAD, OPTIONS",
    ]
    head.add(contentsOf: origins.fields(for: exchange.head))
    await Self.end(head, exchange)
  }

  /// Sends a response without a body.
  private static func end(_ head: HeaderList, _ exchange: ServerExchange) async {
    var head = head
    head.addDate()
    await exchange.sendHead(head, endsStream: true)
  }

  /// Whether the caller has the page already. Proxies that compress a page make its tag a weak one.
  /// Source: RFC 9110, section 13.1.2.
  private static func isKnown(_ etag: String, to head: RequestHead) -> Bool {
    (head.fields["if-none-match"] ?? "").split(separator: ",").contains { tag in
      ["*", etag, "W/\(etag)"].contains(String(tag.filter { $0 != " " }))
    }
  }

  /// The path without the query.
  private static func path(of head: RequestHead) -> String {
    String(head.path.prefix { $0 != "?" })
  }

  private func page(_ key: Key) throws -> Page {
    if let page = pages.made.withLock({ $0[key] }) { return page }
    let page = try make(key)
    pages.made.withLock { $0[key] = page }
    return page
  }

  private func make(_ key: Key) throws -> Page {
    switch key.path {
    case "/openapi.json":
      Page(
        try OpenAPIDocument(ContractBook(contracts), in: key.language).json.bytes,
        type: "application/json")
    case "/docs/policy":
      Page(
        Array(try PolicyMatrix(contracts: contracts, configuration).html(in: key.language).utf8),
        type: "text/html; charset=utf-8")
    default:
      Page(
        Array(DocsPage.api(in: key.language).utf8), type: "text/html; charset=utf-8",
        scripts: [DocsPage.script])
    }
  }
}

extension Base64 {
  fileprivate static func padded(_ bytes: some Collection<UInt8>) -> String {
    let text = encode(Array(bytes))
    return text + String(repeating: "=", count: (4 - text.count % 4) % 4)
  }
}
