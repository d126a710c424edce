public import RPC

/// Serves the pages for people: the member's behind a scanned code (`/c/{code}`) and without one
/// (`/me`), the staff console (`/console`), a choice between them (`/`), and their parts
/// (`/pages/{file}`).
///
/// The pages are files of `web/`, compiled in: nothing is read from the disk, and no part of a
/// request enters a page. They call the JSON interface like any other caller, with the session of
/// whoever signed in. Public. Safe to use from any task.
public struct WebPages: ExchangeHandler {
  /// What precedes a code in its link.
  private static let codePrefix = "/c/"

  /// The pages load from the gateway only, run no inline script, and draw what they made
  /// themselves.
  private static let sources = """
    script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:
    """

  private static let pages: [String: ServedPage] = [
    "/": html(PackageResources.home_html),
    "/console": html(PackageResources.console_html),
    "/me": html(PackageResources.member_html),
    "/pages/api.js": script(PackageResources.api_js),
    "/pages/console-csv.js": script(PackageResources.console_csv_js),
    "/pages/console-engine.js": script(PackageResources.console_engine_js),
    "/pages/console-imports.js": script(PackageResources.console_imports_js),
    "/pages/console-labels.js": script(PackageResources.console_labels_js),
    "/pages/console-organizations.js": script(PackageResources.console_organizations_js),
    "/pages/console-overview.js": script(PackageResources.console_overview_js),
    "/pages/console-registry.js": script(PackageResources.console_registry_js),
    "/pages/console-upload.js": script(PackageResources.console_upload_js),
    "/pages/console-values.js": script(PackageResources.console_values_js),
    "/pages/console-work.js": script(PackageResources.console_work_js),
    "/pages/console.css": part(PackageResources.console_css, "text/css; charset=utf-8"),
    "/pages/console.js": script(PackageResources.console_js),
    "/pages/enum-words.js": script(PackageResources.enum_words_js),
    "/pages/icon.svg": part(PackageResources.icon_svg, "image/svg+xml"),
    "/pages/language.js": script(PackageResources.language_js),
    "/pages/member-application.js": script(PackageResources.member_application_js),
    "/pages/member-away.js": script(PackageResources.member_away_js),
    "/pages/member-own.js": script(PackageResources.member_own_js),
    "/pages/member-sign-in.js": script(PackageResources.member_sign_in_js),
    "/pages/member-words.js": script(PackageResources.member_words_js),
    "/pages/member.js": script(PackageResources.member_js),
    "/pages/page.js": script(PackageResources.page_js),
    "/pages/region-field.js": script(PackageResources.region_field_js),
    "/pages/style.css": part(PackageResources.style_css, "text/css; charset=utf-8"),
  ]

  /// Paths that people type for others.
  private static let redirects = ["/c": "/me", "/me/": "/me", "/console/": "/console"]

  public init() {}

  public func claims(_ head: RequestHead) -> Bool {
    let path = head.pagePath
    return path.hasPrefix(Self.codePrefix) || Self.pages[String(path)] != nil
      || Self.redirects[String(path)] != nil
  }

  public func serve(_ exchange: ServerExchange) async {
    let path = String(exchange.head.pagePath)
    let answer = PageAnswer(exchange: exchange)
    if let place = Self.redirects[path] { return await answer.redirect(to: place) }
    // The page itself reads the code from its address.
    let page = Self.pages[path.hasPrefix(Self.codePrefix) ? "/me" : path]
    guard let page else { return await answer.failure() }
    await answer.page(page)
  }

  /// The paths that are served, but for those of codes.
  static var paths: [String] { pages.keys.sorted() + redirects.keys.sorted() }

  private static func html(_ content: [UInt8]) -> ServedPage {
    part(content, "text/html; charset=utf-8")
  }

  private static func script(_ content: [UInt8]) -> ServedPage {
    part(content, "text/javascript; charset=utf-8")
  }

  private static func part(_ content: [UInt8], _ type: String) -> ServedPage {
    ServedPage(content, type: type, sources: sources)
  }
}
