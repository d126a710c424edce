import GoogleProtobuf
import RPC
import ServiceKit
import YijiaTypeV1

/// The OpenAPI 3.1 document of everything that external callers may call, generated from the
/// contracts.
///
/// A method has the paths of its `google.api.http` rules, or its gRPC path where it has none.
/// Methods for services only are left out. Source: OpenAPI Specification 3.1.0.
struct OpenAPIDocument {
  private let book: ContractBook
  /// Language of the texts that are not the contracts'.
  private let language: Language
  private var schemas: OpenAPISchemas
  /// Operations by path and verb, in the order of the contracts.
  private var paths: [(path: String, operations: [JSONValue.Member])] = []

  init(_ book: ContractBook, in language: Language) {
    self.book = book
    self.language = language
    schemas = OpenAPISchemas(book)
    _ = schemas.message("google.rpc.Status")
    for service in book.services {
      for method in service.methods where method.isPublic { add(method, of: service) }
    }
  }

  var json: JSONValue {
    [
      "openapi": "3.1.0",
      "info": [
        "title": "Yijia 驿家", "version": "v1",
        "description": .string(OpenAPITexts.about.text(in: language)),
        "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
      ],
      "servers": [["url": "/", "description": "This gateway"]],
      "tags": .array(
        book.services.map { ["name": .string($0.name), "description": .string($0.comment)] }),
      "paths": .object(
        paths.map { .init(name: $0.path, value: .object($0.operations)) }),
      "components": [
        "schemas": schemas.components,
        "responses": .object(
          OpenAPIRefusal.all.map { .init(name: $0.name, value: $0.response(in: language)) }),
        "headers": Self.headers,
        "securitySchemes": [
          "apiKey": [
            "type": "apiKey", "in": "header", "name": "x-api-key",
            "description": .string(OpenAPITexts.apiKey.text(in: language)),
          ],
          "bearer": [
            "type": "http", "scheme": "bearer",
            "description": .string(OpenAPITexts.bearer.text(in: language)),
          ],
          "certificate": [
            "type": "mutualTLS",
            "description": .string(OpenAPITexts.certificate.text(in: language)),
          ],
        ],
      ],
    ]
  }

  private static let headers: JSONValue = [
    "Allow": [
      "description": "The HTTP methods of the path.", "schema": ["type": "string"],
    ],
    "Retry-After": [
      "description": "Seconds after which a retry may succeed.", "schema": ["type": "integer"],
    ],
    "RateLimit-Policy": [
      "description": "The limit: calls (q) in a window (w, seconds).",
      "schema": ["type": "string"], "example": #""rate";q=10000;w=10"#,
    ],
    "RateLimit": [
      "description": "What is left of it (r), and the seconds until there is more (t).",
      "schema": ["type": "string"], "example": #""rate";r=0;t=1"#,
    ],
  ]

  // MARK: - Operations

  private mutating func add(_ method: ContractBook.Method, of service: ContractBook.Service) {
    let rules = method.rules.isEmpty ? [] : method.rules
    guard !rules.isEmpty else {
      let body = HTTPRoute.Body.whole
      return insert(
        operation(method, of: service, parameters: [], body: body, number: 0),
        verb: "POST", path: method.descriptor.path)
    }
    for (number, rule) in rules.enumerated() {
      let path = OpenAPIPath(rule.template)
      let parameters = path.parameters + query(of: method, rule) + fields(of: method, rule)
      insert(
        operation(method, of: service, parameters: parameters, body: rule.body, number: number),
        verb: rule.verb, path: path.text)
    }
  }

  private mutating func insert(_ operation: JSONValue, verb: String, path: String) {
    let member = JSONValue.Member(name: verb.lowercased(), value: operation)
    if let index = paths.firstIndex(where: { $0.path == path }) {
      paths[index].operations.append(member)
    } else {
      paths.append((path, [member]))
    }
  }

  private mutating func operation(
    _ method: ContractBook.Method, of service: ContractBook.Service, parameters: [JSONValue],
    body: HTTPRoute.Body, number: Int
  ) -> JSONValue {
    let name = method.descriptor.name
    var operation: [JSONValue.Member] = [
      .init(name: "tags", value: [.string(service.name)]),
      .init(
        name: "operationId",
        value: .string("\(service.name)_\(name)" + (number > 0 ? "_\(number + 1)" : ""))),
      .init(name: "summary", value: .string(name)),
      .init(name: "description", value: .string(method.comment)),
      .init(name: "x-grpc-method", value: .string(method.descriptor.path)),
      .init(name: "x-callers", value: callers(method.policy)),
    ]
    let security = security(method.policy)
    operation.append(.init(name: "security", value: .array(security)))
    if !parameters.isEmpty {
      operation.append(.init(name: "parameters", value: .array(parameters)))
    }
    if let content = requestBody(method, body) {
      operation.append(
        .init(
          name: "requestBody",
          value: ["required": .bool(body == .whole), "content": content]))
    }
    operation.append(.init(name: "responses", value: responses(method, body)))
    return .object(operation)
  }

  private mutating func requestBody(
    _ method: ContractBook.Method, _ body: HTTPRoute.Body
  ) -> JSONValue? {
    let schema: JSONValue
    switch body {
    case .none: return nil
    case .whole: schema = schemas.message(method.input)
    case .field(let name):
      guard let entry = book.messages[method.input],
        let index = entry.descriptor.field.firstIndex(where: { $0.name == name })
      else { return nil }
      schema = schemas.field(entry.descriptor.field[index], comment: entry.fieldComments[index])
    }
    guard method.descriptor.kind.streamsRequests else {
      return ["application/json": ["schema": schema]]
    }
    return ["application/x-ndjson": ["schema": schema.described("One line a message.")]]
  }

  private mutating func responses(
    _ method: ContractBook.Method, _ body: HTTPRoute.Body
  ) -> JSONValue {
    let output = schemas.message(method.output)
    let status: JSONValue = ["$ref": "#/components/schemas/google.rpc.Status"]
    let content: JSONValue =
      method.descriptor.kind.streamsResponses
      ? stream(of: output, status) : ["application/json": ["schema": output]]
    let success: JSONValue = [
      "description": .string(OpenAPITexts.success.text(in: language)), "content": content,
    ]
    let isOpen = security(method.policy).isEmpty
    let hasRequestID =
      book.messages[method.input]?.descriptor.field.contains { $0.name == "request_id" } ?? false
    let refusals = OpenAPIRefusal.all.filter { refusal in
      switch refusal.status {
      case "401", "403": !isOpen
      case "404": method.rules.contains { !$0.template.variables.isEmpty }
      case "409": hasRequestID
      case "408", "413", "415": body != .none
      default: true
      }
    }
    return .object(
      [.init(name: "200", value: success)]
        + refusals.map {
          .init(name: $0.status, value: ["$ref": .string("#/components/responses/\($0.name)")])
        })
  }

  /// Returns the content of a response stream in each ``JSONFormat``, with the failure that may end
  /// it.
  private func stream(of output: JSONValue, _ status: JSONValue) -> JSONValue {
    let line: JSONValue = [
      "type": "object", "properties": ["result": output, "error": status],
      "oneOf": [["required": ["result"]], ["required": ["error"]]],
      "description": .string(OpenAPITexts.lines.text(in: language)),
    ]
    let failure: JSONValue = [
      "type": "object", "properties": ["error": status], "required": ["error"],
    ]
    let array: JSONValue = [
      "type": "array", "items": ["anyOf": [output, failure]],
      "description": .string(OpenAPITexts.array.text(in: language)),
    ]
    let events: JSONValue = [
      "type": "string", "description": .string(OpenAPITexts.events.text(in: language)),
    ]
    return [
      "application/x-ndjson": ["schema": line], "text/event-stream": ["schema": events],
      "application/json": ["schema": array],
    ]
  }

  // MARK: - Access

  private func callers(_ policy: Policy) -> JSONValue {
    .array(
      policy.callers.filter { $0 != .service && $0 != .unspecified }.map { kind in
        let name: JSONValue = ["kind": .string(kind.title)]
        guard kind == .staff else { return name }
        return name.adding(["role": .string(policy.staffRole.title)])
      })
  }

  /// The security schemes of a method; none for one that needs no authentication.
  private func security(_ policy: Policy) -> [JSONValue] {
    var schemes: [JSONValue] = []
    if policy.callers.contains(.partner) || policy.callers.contains(.kiosk) {
      schemes.append(["apiKey": []])
    }
    if policy.callers.contains(.partner) { schemes.append(["certificate": []]) }
    if policy.callers.contains(where: { [.partner, .staff, .member].contains($0) }) {
      schemes.append(["bearer": []])
    }
    return schemes
  }

  // MARK: - Query parameters

  /// Returns the query parameters: the fields that neither path nor body states, as far as their
  /// JSON is one text or a list of texts.
  private mutating func query(
    of method: ContractBook.Method, _ rule: HTTPRule
  ) -> [JSONValue] {
    guard rule.body != .whole, let entry = book.messages[method.input] else { return [] }
    var said = Set(rule.template.variables.map(\.field))
    if case .field(let name) = rule.body { said.insert(name) }
    return query(of: entry, in: "", names: "", said: said, depth: 0)
  }

  /// Returns the header field that is a parameter: where a stream of events goes on.
  private func fields(of method: ContractBook.Method, _ rule: HTTPRule) -> [JSONValue] {
    let input = book.messages[method.input]
    guard rule.body == .none, method.descriptor.kind.streamsResponses,
      input?.descriptor.field.contains(where: { $0.name == JSONFormat.cursor }) == true
    else { return [] }
    return [
      [
        "name": "last-event-id", "in": "header", "schema": ["type": "string"],
        "description": .string(OpenAPITexts.lastEventID.text(in: language)),
      ]
    ]
  }

  /// Nesting depth of query parameters; no contract has more.
  private static let queryDepthMax = 3

  private mutating func query(
    of entry: ContractBook.MessageEntry, in scope: String, names: String, said: Set<String>,
    depth: Int
  ) -> [JSONValue] {
    var parameters: [JSONValue] = []
    for (index, field) in entry.descriptor.field.enumerated() {
      let path = scope + field.name
      guard !said.contains(path) else { continue }
      let name = names + field.publicName
      if let inner = schemas.fields(of: field) {
        guard depth < Self.queryDepthMax, inner.descriptor.options?.mapEntry != true else {
          continue
        }
        parameters += query(
          of: inner, in: path + ".", names: name + ".", said: said, depth: depth + 1)
      } else if field.type != .message || schemas.isText(field) {
        let schema = schemas.field(field, comment: "")
        parameters.append([
          "name": .string(name), "in": "query",
          "description": .string(entry.fieldComments[index]), "schema": schema,
        ])
      }
    }
    return parameters
  }
}

extension JSONValue {
  /// Adds a description to a schema that has none.
  fileprivate func described(_ text: String) -> JSONValue {
    self["description"] == nil ? adding(["description": .string(text)]) : self
  }
}

/// A path template in OpenAPI's syntax, where a parameter is one segment:
/// `/v1/{name=members/*}:reveal` becomes `/v1/members/{member}:reveal`.
struct OpenAPIPath: Sendable, Hashable {
  let text: String
  let parameters: [JSONValue]

  init(_ template: PathTemplate) {
    var text = ""
    var parameters: [JSONValue] = []
    var before = ""
    for (index, segment) in template.segments.enumerated() {
      text += "/"
      switch segment {
      case .literal(let literal):
        text += literal
        before = literal
      case .one, .rest:
        let variable = template.variables.first { $0.segments.contains(index) }
        let isWhole = variable?.segments.count == 1
        let name = isWhole ? variable?.field ?? "part" : Self.singular(before)
        text += "{\(name)}"
        parameters.append([
          "name": .string(name), "in": "path", "required": true, "schema": ["type": "string"],
          "description": .string(Self.description(of: variable, in: template)),
        ])
      }
    }
    if let verb = template.verb { text += ":\(verb)" }
    self.text = text
    self.parameters = parameters
  }

  private static func description(
    of variable: PathTemplate.Variable?, in template: PathTemplate
  ) -> String {
    guard let variable else { return "" }
    let parts = template.segments[variable.segments].map { segment in
      if case .literal(let text) = segment { text } else { "…" }
    }
    return "The end of `\(variable.field)`: \"\(parts.joined(separator: "/"))\"."
  }

  /// `members` → `member`, `poolCases` → `poolCase`, `duplicates` → `duplicate`.
  private static func singular(_ plural: String) -> String {
    if plural.hasSuffix("ies") { return plural.dropLast(3) + "y" }
    return plural.hasSuffix("s") ? String(plural.dropLast()) : plural
  }
}

extension CallerKind {
  /// Name in the documentation, such as `partner`.
  var title: String {
    switch self {
    case .partner: "partner"
    case .kiosk: "kiosk"
    case .staff: "staff"
    case .member: "member"
    case .service: "service"
    case .anonymous: "anybody"
    case .unspecified, .unrecognized: "nobody"
    }
  }
}

extension StaffRole {
  /// Name in the documentation, such as `clerk`.
  var title: String {
    switch self {
    case .viewer: "viewer"
    case .clerk: "clerk"
    case .administrator: "administrator"
    case .unspecified, .unrecognized: "none"
    }
  }
}
