public import RPC
import ServiceKit
import Synchronization

/// Serves the API documentation: `/openapi.json`, a page about it at `/docs`, and the policy table
/// at `/docs/policy`, each in the language of `accept-language`. Public, like the contracts; built
/// on first request and cached.
///
/// Safe to use from any task.
public struct APIPages: ExchangeHandler {
  private struct Key: Hashable {
    let path: String
    let language: Language
  }

  private final class Pages: Sendable {
    let made = Mutex<[Key: ServedPage]>([:])
  }

  private static let paths = ["/openapi.json", "/docs", "/docs/policy"]
  /// Paths that people type for these.
  private static let otherPaths = ["/docs/": "/docs", "/docs/policy/": "/docs/policy"]

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
    let path = String(head.pagePath)
    return Self.paths.contains(path) || Self.otherPaths[path] != nil
  }

  public func serve(_ exchange: ServerExchange) async {
    let path = String(exchange.head.pagePath)
    let answer = PageAnswer(exchange: exchange, origins: origins)
    if let place = Self.otherPaths[path] { return await answer.redirect(to: place) }
    let language = Language(acceptLanguage: exchange.head.fields["accept-language"])
    guard let page = try? page(Key(path: path, language: language)) else {
      return await answer.failure()
    }
    await answer.page(page, in: language)
  }

  private func page(_ key: Key) throws -> ServedPage {
    if let page = pages.made.withLock({ $0[key] }) { return page }
    let page = try make(key)
    pages.made.withLock { $0[key] = page }
    return page
  }

  private func make(_ key: Key) throws -> ServedPage {
    switch key.path {
    case "/openapi.json":
      Self.page(
        try OpenAPIDocument(ContractBook(contracts), in: key.language).json.bytes,
        type: "application/json")
    case "/docs/policy":
      Self.page(
        Array(try PolicyMatrix(contracts: contracts, configuration).html(in: key.language).utf8))
    default:
      Self.page(
        Array(DocsPage.api(in: key.language).utf8),
        script: ServedPage.source(ofScript: DocsPage.script))
    }
  }

  /// A page that loads nothing but the document: its style and its script are inline.
  private static func page(
    _ body: [UInt8], type: String = "text/html; charset=utf-8", script: String = "'none'"
  ) -> ServedPage {
    ServedPage(
      body, type: type,
      sources: "style-src 'unsafe-inline'; connect-src 'self'; script-src \(script)")
  }
}
