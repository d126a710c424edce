import ProtobufJSON
package import RPC
import ServiceKit

/// What a head asks for: a method, what path and query say of its request, and how it is answered.
package struct JSONRequest: Sendable {
  package let route: HTTPRoute
  /// Of path and query.
  let texts: [FieldTexts]
  /// How a stream of responses is written.
  let format: JSONFormat

  /// - Throws: ``GatewayFailure`` and ``CommonFailure/invalidFields(_:)`` where it asks for nothing
  ///   that there is.
  package init(_ head: RequestHead, _ routes: HTTPRoutes) throws {
    let whole = head.path
    let target = whole.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = RequestPath(target.first ?? "") else {
      throw GatewayFailure.routeUnknown(path: String(whole.prefix(Self.shownMax)))
    }
    switch routes.match(head.method, path) {
    case .unknown:
      throw GatewayFailure.routeUnknown(path: String(whole.prefix(Self.shownMax)))
    case .otherVerbs(let verbs): throw GatewayFailure.verbNotAllowed(allowed: verbs)
    case .found(let route, let texts):
      self.route = route
      self.texts = try texts + Self.query(target.count == 2 ? target[1] : "", route)
    }
    format =
      route.method.kind.streamsResponses ? JSONFormat(accept: head.fields["accept"]) : .lines
    try Self.checkContentType(head, route)
  }

  /// What is repeated to people of a path that comes from outside, in characters.
  private static let shownMax = 200

  private static func query(_ text: Substring, _ route: HTTPRoute) throws -> [FieldTexts] {
    guard let parts = URLText.query(text) else {
      throw CommonFailure.invalidFields([.query("", reason: "cannot be read")])
    }
    guard route.body != .whole || parts.isEmpty else {
      throw CommonFailure.invalidFields(
        parts.map { .query($0.name, reason: "the body says all of the request") })
    }
    var order: [String] = []
    var values: [String: [String]] = [:]
    for (name, value) in parts {
      if values[name] == nil { order.append(name) }
      values[name, default: []].append(value)
    }
    return order.map { FieldTexts(path: $0, values: values[$0] ?? []) }
  }

  /// A body without a content type is taken for JSON: many a client's default.
  private static func checkContentType(_ head: RequestHead, _ route: HTTPRoute) throws {
    guard route.body != .none, let type = head.contentType else { return }
    let plain = type.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
    let taken =
      route.method.kind.streamsRequests
      ? ["application/x-ndjson", "application/json", "application/jsonl"] : ["application/json"]
    guard taken.contains(plain) else {
      throw GatewayFailure.contentTypeUnsupported(taken: taken[0])
    }
  }

  /// The request's wire format.
  ///
  /// - Parameter body: The whole body; empty is an empty request.
  /// - Throws: ``CommonFailure/invalidFields(_:)``, with every wrong field of path, query and body.
  package func wire(_ body: [UInt8], _ codec: JSONCodec) throws -> [UInt8] {
    var wire: [UInt8] = []
    var failures: [FieldFailure] = []
    do throws(JSONParseError) {
      switch route.body {
      case .none: break
      case .whole where body.isEmpty: break
      case .whole: wire = try codec.mapping.wire(fromJSON: body, to: route.input)
      case .field(let name) where !body.isEmpty:
        let json = Array("{\"\(name)\":".utf8) + body + [UInt8(ascii: "}")]
        wire = try codec.mapping.wire(fromJSON: json, to: route.input)
      case .field: break
      }
    } catch {
      failures = error.violations.map { .json($0) }
    }
    do throws(JSONParseError) {
      // A later field of one number wins: the path has the last word.
      if !texts.isEmpty { wire += try codec.mapping.wire(fromTexts: texts, to: route.input) }
    } catch {
      failures += error.violations.map { .json($0) }
    }
    guard failures.isEmpty else { throw CommonFailure.invalidFields(failures) }
    return wire
  }
}

extension MethodKind {
  var streamsRequests: Bool { self == .clientStreaming || self == .bidirectionalStreaming }
  var streamsResponses: Bool { self == .serverStreaming || self == .bidirectionalStreaming }
}

extension FieldFailure {
  /// What is repeated of a field's name that comes from outside, in bytes.
  private static let nameBytesMax = 200

  private static func short(_ name: String) -> String {
    name.utf8.count <= nameBytesMax
      ? name : String(decoding: name.utf8.prefix(nameBytesMax), as: UTF8.self) + "…"
  }

  /// A wrong place of a JSON text.
  static func json(_ violation: JSONParseError.Violation, line: Int? = nil) -> FieldFailure {
    let place = line.map { "line \($0)" + (violation.field.isEmpty ? "" : ": ") } ?? ""
    let field = place + short(violation.field)
    let name = field.isEmpty ? "JSON" : field
    return FieldFailure(
      field: field, reason: "INVALID_JSON",
      text: LocalizedText(
        zh: "\(name)不符合接口说明（\(violation.reason)）", en: "\(name): \(violation.reason)"))
  }

  static func query(_ name: String, reason: String) -> FieldFailure {
    let name = short(name)
    return FieldFailure(
      field: name, reason: "INVALID_QUERY",
      text: LocalizedText(
        zh: "查询参数 \(name) 有误（\(reason)）", en: "query parameter \(name): \(reason)"))
  }
}

/// How a stream of responses is written.
enum JSONFormat: Sendable, Hashable {
  /// `{"result":…}` a line, `{"error":…}` the last where the call failed.
  case lines
  /// One JSON array; `{"error":…}` its last element where the call failed.
  case array
  /// Server-sent events: `data:` a message; event `error` with the status.
  case events

  /// By what the caller prefers; lines where it does not say.
  init(accept: String?) {
    var best = (weight: 0.0, format: JSONFormat.lines)
    for range in (accept ?? "").lowercased().split(separator: ",").prefix(16) {
      let parts = range.split(separator: ";").map { $0.filter { $0 != " " } }
      let format: JSONFormat
      switch parts.first {
      case "text/event-stream": format = .events
      case "application/json": format = .array
      case "application/x-ndjson", "application/jsonl": format = .lines
      default: continue
      }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }
      let weight = quality.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      if weight > best.weight { best = (weight, format) }
    }
    self = best.format
  }

  var contentType: String {
    switch self {
    case .lines: "application/x-ndjson"
    case .array: "application/json"
    case .events: "text/event-stream"
    }
  }
}
