import ProtobufJSON
package import RPC
import ServiceKit

/// The method that a request head addresses, its values from path and query, and the response
/// format.
package struct JSONRequest: Sendable {
  /// The route that the head addresses.
  package let route: HTTPRoute
  /// Field values from path and query.
  let texts: [FieldTexts]
  /// Format of a response stream.
  let format: JSONFormat
  /// Bytes that the body has by its head; 0 where that does not say.
  let statedBytes: Int

  /// - Throws: ``GatewayFailure`` and ``CommonFailure/invalidFields(_:)`` where the request is
  ///   invalid.
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
      var query = try Self.query(target.count == 2 ? target[1] : "", route)
      // A browser's EventSource resumes behind the last event that it got.
      if route.body == .none, route.method.kind.streamsResponses, route.takesCursor,
        let last = head.fields["last-event-id"], !last.isEmpty
      {
        query.removeAll { $0.path == JSONFormat.cursor }
        query.append(FieldTexts(path: JSONFormat.cursor, values: [last]))
      }
      self.texts = texts + query
    }
    format =
      route.method.kind.streamsResponses ? JSONFormat(accept: head.fields["accept"]) : .lines
    statedBytes = head.fields["content-length"].flatMap { Int($0) } ?? 0
    try Self.checkContent(head, route)
  }

  /// Checks the length of a body that is one message.
  ///
  /// - Throws: ``GatewayFailure/messageTooLarge(bytesMax:)``; where the method takes no body,
  ///   ``CommonFailure/invalidFields(_:)``.
  func check(bodyBytes: Int, bytesMax: Int) throws {
    guard route.body != .none || bodyBytes == 0 else {
      throw CommonFailure.invalidFields([.uselessBody])
    }
    guard bodyBytes <= bytesMax else { throw GatewayFailure.messageTooLarge(bytesMax: bytesMax) }
  }

  /// How much of a caller's path is repeated in a failure, in characters.
  private static let shownMax = 200

  private static func query(_ text: Substring, _ route: HTTPRoute) throws -> [FieldTexts] {
    guard let parts = URLText.query(text) else {
      throw CommonFailure.invalidFields([.unreadableQuery])
    }
    guard route.body != .whole || parts.isEmpty else {
      throw CommonFailure.invalidFields(parts.map { .queryBesideBody($0.name) })
    }
    var order: [String] = []
    var values: [String: [String]] = [:]
    for (name, value) in parts {
      if values[name] == nil { order.append(name) }
      values[name, default: []].append(value)
    }
    return order.map { FieldTexts(path: $0, values: values[$0] ?? []) }
  }

  /// Checks encoding and type of the content. A missing type counts as JSON: many clients send
  /// none.
  private static func checkContent(_ head: RequestHead, _ route: HTTPRoute) throws {
    guard route.body != .none else { return }
    if let encoding = head.fields["content-encoding"], encoding.lowercased() != "identity" {
      throw GatewayFailure.contentEncodingUnsupported
    }
    guard let type = head.contentType else { return }
    let plain = type.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
    let taken =
      route.method.kind.streamsRequests
      ? ["application/x-ndjson", "application/json", "application/jsonl"] : ["application/json"]
    guard taken.contains(plain) else {
      throw GatewayFailure.contentTypeUnsupported(taken: taken[0])
    }
  }

  /// Returns the request message in wire format.
  ///
  /// - Parameter body: The complete body; empty stands for an empty message.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field of path, query and
  ///   body.
  package func wire(_ body: [UInt8], _ codec: JSONCodec) throws -> [UInt8] {
    var wire: [UInt8] = []
    var failures: [FieldFailure] = []
    do throws(JSONParseError) {
      switch route.body {
      case .none: break
      case .whole where body.isEmpty: break
      case .whole: wire = try codec.mapping.wire(fromJSON: body, to: route.input)
      case .field(let name) where !body.isEmpty:
        wire = try codec.mapping.wire(fromJSON: body, ofField: name, to: route.input)
      case .field: break
      }
    } catch {
      failures = error.violations.map { .json($0) }
    }
    do throws(JSONParseError) {
      // In wire format the last value of a field wins, so the path overrides the body.
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
  /// How much of a caller's field name is repeated in a failure, in bytes.
  private static let nameBytesMax = 200

  private static func short(_ name: String) -> String {
    name.utf8.count <= nameBytesMax
      ? name : String(decoding: name.utf8.prefix(nameBytesMax), as: UTF8.self) + "…"
  }

  /// The failure of an invalid place in a JSON text.
  static func json(_ violation: JSONParseError.Violation, line: Int? = nil) -> FieldFailure {
    let field = short(violation.field)
    var reason = violation.reason
    // The text is the line of the stream, which is named instead.
    if line != nil, reason.hasPrefix("line 1, ") { reason.removeFirst("line 1, ".count) }
    let text = LocalizedText(zh: JSONReason.chinese(reason), en: reason)
    return FieldFailure(
      field: field, reason: "INVALID_JSON",
      text: line.map {
        LocalizedText(zh: "第 \($0) 行：\(text.zh)", en: "line \($0): \(text.en)")
      } ?? text)
  }

  fileprivate static let unreadableQuery = FieldFailure(
    field: "", reason: "INVALID_QUERY",
    text: LocalizedText(zh: "查询参数无法解析。", en: "The query cannot be read."))

  fileprivate static let uselessBody = FieldFailure(
    field: "", reason: "INVALID_BODY",
    text: LocalizedText(
      zh: "该方法不接受请求体，请在路径和查询参数中给出各字段。",
      en: "This method takes no body: state the fields in path and query."))

  fileprivate static func queryBesideBody(_ name: String) -> FieldFailure {
    FieldFailure(
      field: short(name), reason: "INVALID_QUERY",
      text: LocalizedText(
        zh: "请在请求体中给出，而不是查询参数。", en: "must be in the body, not in the query."))
  }
}
