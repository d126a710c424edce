import GoogleAPI
import GoogleProtobuf
import Protobuf
package import ProtobufJSON
import RPC
import ServiceKit

/// A method as HTTP requests reach it.
package struct HTTPRoute: Sendable {
  let method: MethodDescriptor
  package let input: MessageType
  let output: MessageType
  let template: PathTemplate
  /// Where a request's body goes.
  let body: Body

  enum Body: Sendable, Hashable {
    /// There is none: what the path does not say the query says.
    case none
    /// It is the request, but for what the path says.
    case whole
    /// It is this field; the query may say others.
    case field(String)
  }
}

/// One way in which HTTP requests say a method, as its contract states it (`google.api.http`).
struct HTTPRule: Sendable, Hashable {
  /// Field number of the extension in `google.protobuf.MethodOptions`.
  private static let ruleExtension: UInt32 = 72_295_728

  let verb: String
  /// As the contract writes it.
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

  /// The rules of a method; none where only its gRPC path leads to it.
  ///
  /// - Throws: ``ConfigurationError`` where one is no rule.
  static func rules(of method: MethodDescriptorProto, at path: String) throws -> [HTTPRule] {
    let first = try method.options?.unknownFields.message(HttpRule.self, extension: ruleExtension)
    return try (first.map { [$0] + $0.additionalBindings } ?? []).compactMap { rule in
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

/// Every method by its HTTP rules (`google.api.http` in the contracts), and each one also as
/// `POST /package.Service/Method` with the request as the body. An immutable value.
package struct HTTPRoutes: Sendable {
  /// What a request finds.
  enum Match: Sendable {
    case found(HTTPRoute, [FieldTexts])
    /// The path is there for these verbs only.
    case otherVerbs([String])
    case unknown
  }

  /// The ways on from a segment.
  private struct Node: Sendable {
    var literals: [String: Node] = [:]
    /// Behind `*`; at most one, in an array because a struct cannot hold itself.
    var any: [Node] = []
    /// By HTTP method and custom verb, of templates that end here.
    var ends: [String: [String: HTTPRoute]] = [:]
    /// The same of templates that go on with `**`.
    var rest: [String: [String: HTTPRoute]] = [:]
  }

  private var root = Node()

  /// - Throws: ``ConfigurationError`` where a contract's rule is none.
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
      insert(
        HTTPRoute(
          method: known, input: input, output: output, template: rule.template, body: rule.body),
        rule.verb)
    }
  }

  private mutating func insert(_ route: HTTPRoute, _ verb: String) {
    func insert(_ segments: ArraySlice<PathTemplate.Segment>, _ node: inout Node) {
      let name = route.template.verb ?? ""
      switch segments.first {
      case nil: node.ends[name, default: [:]][verb] = route
      case .rest: node.rest[name, default: [:]][verb] = route
      case .literal(let text):
        insert(segments.dropFirst(), &node.literals[text, default: Node()])
      case .one:
        if node.any.isEmpty { node.any.append(Node()) }
        insert(segments.dropFirst(), &node.any[0])
      }
    }
    insert(route.template.segments[...], &root)
  }

  /// Finds who answers `verb` of that path. A literal segment is preferred to `*`, that to `**`; a
  /// custom verb to a segment with a colon.
  func match(_ verb: String, _ path: RequestPath) -> Match {
    var others: Set<String> = []
    if let (segments, name) = path.verb,
      let route = find(verb, name, segments[...], root, &others)
    {
      return .found(route, texts(route, segments))
    }
    if let route = find(verb, "", path.segments[...], root, &others) {
      return .found(route, texts(route, path.segments))
    }
    return others.isEmpty ? .unknown : .otherVerbs(others.sorted())
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

  /// What the path says of the request.
  private func texts(_ route: HTTPRoute, _ segments: [String]) -> [FieldTexts] {
    route.template.variables.map { variable in
      // `**` takes what is left.
      let isRest = variable.segments.last.map { route.template.segments[$0] == .rest } ?? false
      let part = segments[
        variable.segments.lowerBound..<(isRest ? segments.count : variable.segments.upperBound)]
      return FieldTexts(path: variable.field, values: [part.joined(separator: "/")])
    }
  }
}
