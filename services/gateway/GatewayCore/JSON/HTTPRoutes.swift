import GoogleAPI
import GoogleProtobuf
import Protobuf
package import ProtobufJSON
import RPC
import ServiceKit

/// One HTTP binding of a method.
package struct HTTPRoute: Sendable {
  let method: MethodDescriptor
  /// Type of the request message.
  package let input: MessageType
  /// Type of the response message.
  let output: MessageType
  let template: PathTemplate
  /// How the request body maps to the request message.
  let body: Body
  /// Whether the request has a cursor.
  var takesCursor: Bool { input.fields.contains { $0.name == JSONFormat.cursor } }

  enum Body: Sendable, Hashable {
    /// No body: fields that are not in the path come from the query.
    case none
    /// The body is the request message, without the fields of the path.
    case whole
    /// The body is this field; others may come from the query.
    case field(String)
  }
}

/// One HTTP binding of a method, as its contract states it (`google.api.http`).
struct HTTPRule: Sendable, Hashable {
  /// Field number of the extension in `google.protobuf.MethodOptions`.
  private static let ruleExtension: UInt32 = 72_295_728

  let verb: String
  /// The template as the contract states it.
  let path: String
  let template: PathTemplate
  let body: HTTPRoute.Body

  /// - Throws: ``PathTemplate/SyntaxError``.
  init(_ verb: String, _ path: String, _ body: HTTPRoute.Body) throws {
    self.verb = verb
    self.path = path
    template = try PathTemplate(path)
    self.body = body
  }

  /// Returns the rules of a method; none where it is served at its gRPC path only.
  ///
  /// - Throws: ``ConfigurationError`` where a rule is malformed.
  static func rules(of method: MethodDescriptorProto, at path: String) throws -> [HTTPRule] {
    let first = try method.options?.unknownFields.message(HttpRule.self, extension: ruleExtension)
    return try (first.map { [$0] + $0.additionalBindings } ?? []).compactMap { rule in
      guard rule.responseBody.isEmpty else {
        throw ConfigurationError("\(path): google.api.http: response_body is not supported")
      }
      guard let (verb, template) = rule.pattern.flatMap(verbAndPath) else { return nil }
      let body: HTTPRoute.Body =
        switch rule.body {
        case "": .none
        case "*": .whole
        default: .field(rule.body)
        }
      do {
        return try HTTPRule(verb, template, body)
      } catch let error as PathTemplate.SyntaxError {
        throw ConfigurationError("\(path): google.api.http: \(template): \(error.reason)")
      }
    }
  }

  private static func verbAndPath(_ pattern: HttpRule.Pattern) -> (String, String)? {
    switch pattern {
    case .get(let path): ("GET", path)
    case .put(let path): ("PUT", path)
    case .post(let path): ("POST", path)
    case .delete(let path): ("DELETE", path)
    case .patch(let path): ("PATCH", path)
    case .custom(let custom): (custom.kind, custom.path)
    }
  }
}

/// Routes HTTP requests to methods: by the rules of the contracts (`google.api.http`), and each
/// method also as `POST /package.Service/Method` with the request as the body. An immutable value.
package struct HTTPRoutes: Sendable {
  /// The result of a look-up.
  enum Match: Sendable {
    case found(HTTPRoute, [FieldTexts])
    /// The path exists for these HTTP methods only.
    case otherVerbs([String])
    case unknown
  }

  /// A node of the routing tree.
  private struct Node: Sendable {
    var literals: [String: Node] = [:]
    /// The child of `*`; at most one, in an array because a struct cannot contain itself.
    var any: [Node] = []
    /// Routes that end here, by custom verb and HTTP method.
    var ends: [String: [String: HTTPRoute]] = [:]
    /// Routes that continue with `**`, by custom verb and HTTP method.
    var rest: [String: [String: HTTPRoute]] = [:]
  }

  private var root = Node()

  /// - Throws: ``ConfigurationError`` where a contract's rule is malformed.
  package init(contracts: [Contract], registry: TypeRegistry) throws {
    for contract in contracts {
      let methods = Dictionary(
        contract.methods.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
      for file in try FileDescriptorSet(wireBytes: contract.descriptorSet).file {
        for service in file.service {
          for method in service.method {
            guard let known = methods["/\(file.package).\(service.name)/\(method.name)"] else {
              continue
            }
            try add(known, method, registry)
          }
        }
      }
    }
  }

  private mutating func add(
    _ known: MethodDescriptor, _ method: MethodDescriptorProto, _ registry: TypeRegistry
  ) throws {
    guard let input = registry.message(named: String(method.inputType.dropFirst())),
      let output = registry.message(named: String(method.outputType.dropFirst()))
    else { throw ConfigurationError("\(known.path): its types are not in the contract") }
    let own = try HTTPRule("POST", known.path, .whole)
    for rule in try [own] + HTTPRule.rules(of: method, at: known.path) {
      let route = HTTPRoute(
        method: known, input: input, output: output, template: rule.template, body: rule.body)
      if let other = insert(route, rule.verb) {
        throw ConfigurationError(
          "\(known.path): google.api.http: \(rule.verb) \(rule.path) is that of \(other.path)")
      }
    }
  }

  /// Returns the method that has this HTTP method and path already, if any.
  private mutating func insert(_ route: HTTPRoute, _ verb: String) -> MethodDescriptor? {
    func insert(
      _ segments: ArraySlice<PathTemplate.Segment>, _ node: inout Node
    ) -> MethodDescriptor? {
      let name = route.template.verb ?? ""
      switch segments.first {
      case nil: return node.ends[name, default: [:]].updateValue(route, forKey: verb)?.method
      case .rest: return node.rest[name, default: [:]].updateValue(route, forKey: verb)?.method
      case .literal(let text):
        return insert(segments.dropFirst(), &node.literals[text, default: Node()])
      case .one:
        if node.any.isEmpty { node.any.append(Node()) }
        return insert(segments.dropFirst(), &node.any[0])
      }
    }
    return insert(route.template.segments[...], &root)
  }

  /// Returns the HTTP methods of a path; empty for an unknown one.
  func verbs(_ path: RequestPath) -> [String] {
    // No route has this method.
    if case .otherVerbs(let verbs) = match("", path) { verbs } else { [] }
  }

  /// Returns the route of an HTTP method and path. A literal segment takes precedence over `*`,
  /// that over `**`; a custom verb over a segment with a colon. HEAD has the routes of GET.
  func match(_ verb: String, _ path: RequestPath) -> Match {
    let verb = verb == "HEAD" ? "GET" : verb
    var others: Set<String> = []
    if let (segments, name) = path.verb,
      let route = find(verb, name, segments[...], root, &others)
    {
      return .found(route, texts(route, segments))
    }
    if let route = find(verb, "", path.segments[...], root, &others) {
      return .found(route, texts(route, path.segments))
    }
    guard !others.isEmpty else { return .unknown }
    if others.contains("GET") { others.insert("HEAD") }
    return .otherVerbs(others.union(["OPTIONS"]).sorted())
  }

  private func find(
    _ verb: String, _ name: String, _ segments: ArraySlice<String>, _ node: Node,
    _ others: inout Set<String>
  ) -> HTTPRoute? {
    if let first = segments.first {
      for next in [node.literals[first], node.any.first] {
        if let next, let route = find(verb, name, segments.dropFirst(), next, &others) {
          return route
        }
      }
    } else if let ends = node.ends[name] {
      if let route = ends[verb] { return route }
      others.formUnion(ends.keys)
    }
    guard let rest = node.rest[name] else { return nil }
    if rest[verb] == nil { others.formUnion(rest.keys) }
    return rest[verb]
  }

  /// Returns the values of the path's variables.
  private func texts(_ route: HTTPRoute, _ segments: [String]) -> [FieldTexts] {
    route.template.variables.map { variable in
      // `**` matches all remaining segments.
      let isRest = variable.segments.last.map { route.template.segments[$0] == .rest } ?? false
      let part = segments[
        variable.segments.lowerBound..<(isRest ? segments.count : variable.segments.upperBound)]
      return FieldTexts(path: variable.field, values: [part.joined(separator: "/")])
    }
  }
}
