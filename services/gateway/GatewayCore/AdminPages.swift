import Foundation
import GRPCHealthV1
import Logging
public import RPC
public import ServiceKit

/// The operators' HTTP endpoints on the admin port:
///
/// | path | what |
/// |---|---|
/// | `GET /livez` | 200: the process answers |
/// | `GET /readyz` | 200 or 503, and every replica of every service with how it stands |
/// | `GET /config` | the configuration that is served, as JSON, without keys and their hashes |
/// | `GET /log_level`, `POST /log_level?level=debug` | what is logged |
/// | `POST /reload` | reads the configuration anew and answers once it is served; 400: faults |
///
/// The port is plaintext on a loopback address, for people and programs of the same machine. Pages
/// in a browser there are kept out: requests with an `origin` field, or with an authority that is
/// neither an IP address nor `localhost`, are refused with 403.
public struct AdminPages: ExchangeHandler {
  private let gateway: LiveGateway
  private let health: HealthRegistry
  private let reload: @Sendable () async throws -> Void

  /// - Parameter reload: Reads the configuration anew; its error is the text of the 400 response.
  public init(
    of gateway: LiveGateway, health: HealthRegistry,
    reload: @escaping @Sendable () async throws -> Void
  ) {
    self.gateway = gateway
    self.health = health
    self.reload = reload
  }

  private struct Answer {
    var status = 200
    var text: String
    var type = "text/plain; charset=utf-8"
    var allowed: String?

    static func only(_ verbs: String) -> Answer {
      Answer(status: 405, text: "only \(verbs)", allowed: verbs)
    }
  }

  /// The paths that are answered.
  public static let paths = ["/livez", "/readyz", "/config", "/log_level", "/reload"]

  public func claims(_ head: RequestHead) -> Bool {
    let path = Self.path(head)
    return Self.paths.contains { $0 == path }
  }

  private static func path(_ head: RequestHead) -> Substring { head.path.prefix { $0 != "?" } }

  public func serve(_ exchange: ServerExchange) async {
    let answer = await answer(exchange.head)
    let body = Array((answer.text + "\n").utf8)
    var head: HeaderList = [
      ":status": "\(answer.status)", "content-type": answer.type, "cache-control": "no-store",
      "content-length": "\(body.count)",
    ]
    if let allowed = answer.allowed { head.add("allow", allowed) }
    head.addDate()
    await exchange.sendHead(head)
    // An error means that the client has disconnected.
    guard (try? await exchange.send(body)) != nil else { return }
    await exchange.finish()
  }

  private func answer(_ head: RequestHead) async -> Answer {
    guard head.fields["origin"] == nil, Self.isAddress(head.authority) else {
      return Answer(status: 403, text: "not for pages")
    }
    // The exchange leaves out the body of a response to HEAD.
    switch (Self.path(head), head.method == "HEAD" ? "GET" : head.method) {
    case ("/livez", "GET"): return Answer(text: "alive")
    case ("/readyz", "GET"): return readiness()
    case ("/config", "GET"): return configuration()
    case ("/log_level", "GET"): return Answer(text: Observation.logLevel.rawValue)
    case ("/log_level", "POST"): return setLogLevel(head)
    case ("/log_level", _): return .only("GET, HEAD, POST")
    case ("/reload", "POST"): return await reloaded()
    case ("/reload", _): return .only("POST")
    default: return .only("GET, HEAD")
    }
  }

  /// Whether the authority's host is an IP address or `localhost`. Any other name could be a page's
  /// own host name that resolves to this machine (DNS rebinding).
  static func isAddress(_ authority: String?) -> Bool {
    guard let authority, !authority.isEmpty else { return true }
    if authority.hasPrefix("[") { return true }
    let host = authority.prefix { $0 != ":" }.lowercased()
    if host == "localhost" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }

  private func readiness() -> Answer {
    let services = gateway.backends.standings
    let isReady = health.status(of: "") == .serving
    let unreached = gateway.backends.unreached
    let missing = unreached.isEmpty ? "" : ", no way to " + unreached.joined(separator: ", ")
    let lines = services.flatMap { service in
      service.replicas.map { "\(service.name) \($0.address) \($0.text)" }
    }
    return Answer(
      status: isReady ? 200 : 503,
      text: (["\(isReady ? "ready" : "not ready")\(missing)"] + lines).joined(separator: "\n"))
  }

  private func configuration() -> Answer {
    do {
      let known = try JSONSerialization.jsonObject(
        with: JSONEncoder().encode(gateway.configuration))
      let text = try JSONSerialization.data(
        withJSONObject: ["generation": gateway.generation, "configuration": Self.hiding(known)],
        options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
      return Answer(text: String(decoding: text, as: UTF8.self), type: "application/json")
    } catch {
      return Answer(status: 500, text: "\(error)")
    }
  }

  /// Parts of field names whose string values are secrets, or would help to guess one.
  private static let secret = ["sha256", "secret", "password", "token", "seed"]

  /// Returns the JSON value with secrets replaced. File names stay: their contents are not shown.
  static func hiding(_ value: Any) -> Any {
    if let list = value as? [Any] { return list.map { hiding($0) } }
    if let text = value as? String { return withoutPasswords(text) }
    guard let fields = value as? [String: Any] else { return value }
    var shown = fields.mapValues { hiding($0) }
    for (name, value) in fields where value is String && !name.hasSuffix("_file") {
      if secret.contains(where: { name.contains($0) }) { shown[name] = "hidden" }
    }
    return shown
  }

  /// Replaces the password and secret query parameters of a URL; other text is returned as it is.
  private static func withoutPasswords(_ text: String) -> String {
    guard let scheme = text.range(of: "://") else { return text }
    let rest = text[scheme.upperBound...]
    let authority = rest.prefix { !"/?#".contains($0) }
    let after = rest[authority.endIndex...]
    var shown = String(text[..<scheme.upperBound])
    if let at = authority.lastIndex(of: "@") {
      let user = authority[..<at].prefix { $0 != ":" }
      shown += user.endIndex == at ? user : user + ":hidden"
      shown += authority[at...]
    } else {
      shown += authority
    }
    let path = after.prefix { $0 != "?" }
    let query = after[path.endIndex...].split(separator: "&", omittingEmptySubsequences: false)
    let parts = query.map { part in
      let name = part.prefix { $0 != "=" }
      let plain = (name.removingPercentEncoding ?? "password").lowercased()
      return secret.contains { plain.contains($0) } ? name + "=hidden" : part
    }
    return shown + path + parts.joined(separator: "&")
  }

  private func setLogLevel(_ head: RequestHead) -> Answer {
    let query = head.path.split(separator: "?").dropFirst().first ?? ""
    let name = query.split(separator: "=")
    guard name.count == 2, name[0] == "level",
      let level = Logger.Level(rawValue: String(name[1]))
    else {
      let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
      return Answer(status: 400, text: "?level= one of \(known)")
    }
    Observation.logLevel = level
    return Answer(text: level.rawValue)
  }

  private func reloaded() async -> Answer {
    do {
      try await reload()
      return Answer(text: "reloaded, generation \(gateway.generation)")
    } catch {
      return Answer(status: 400, text: "refused, the configuration before stays: \(error)")
    }
  }
}
