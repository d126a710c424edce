/// Public members of the libraries under Sources are documented: each by a comment of its own.
///
/// Excused are the requirements of a protocol, which are documented there, where the file declares
/// the conformance; and an initializer that does not throw and whose parameters are public
/// properties of the same names.
enum PublicMembers {
  /// The names of requirements by protocol.
  private static let requirements: [String: Set<String>] = [
    // The standard library's.
    "AsyncIteratorProtocol": ["next"],
    "AsyncSequence": ["AsyncIterator", "Element", "makeAsyncIterator"],
    "Comparable": ["<"],
    "CustomDebugStringConvertible": ["debugDescription"],
    "CustomStringConvertible": ["description"],
    "Equatable": ["=="],
    "ExpressibleByDictionaryLiteral": ["dictionaryLiteral"],
    "ExpressibleByStringLiteral": ["stringLiteral"],
    "Hashable": ["==", "hash"],
    "RandomAccessCollection": ["endIndex", "startIndex", "subscript"],
    // swift-metrics' and swift-distributed-tracing's.
    "MetricsFactory": [
      "destroyCounter", "destroyRecorder", "destroyTimer", "makeCounter", "makeRecorder",
      "makeTimer",
    ],
    "Span": [
      "addEvent", "addLink", "attributes", "end", "isRecording", "operationName", "recordError",
      "setStatus",
    ],
    "Tracer": ["extract", "forceFlush", "inject", "startSpan"],
    // Our own.
    "ClientInterceptor": ["intercept"],
    "ClientObserver": ["callStarted"],
    "Database": [
      "close", "dialect", "failure", "feedChanges", "migrate", "read", "statistics", "write",
      "writeLarge",
    ],
    "ExchangeHandler": ["claims", "serve"],
    "HealthProtocol": ["check", "list", "watch"],
    "LoopChannel": ["openExchange"],
    "RPCService": ["methods"],
    "SQLValueConvertible": ["sqlValue"],
    "ServerInterceptor": ["intercept"],
    "ServiceFailure": ["code", "fieldFailures", "metadata", "reason", "retryAfter", "text"],
  ]

  private static let types: Set = ["actor", "class", "enum", "extension", "protocol", "struct"]
  private static let kinds = types.union([
    "associatedtype", "case", "func", "init", "let", "subscript", "typealias", "var",
  ])

  static func violations(_ repository: Repository) -> [Violation] {
    repository.swift.filter { $0.path.hasPrefix("Sources/") && BannedCalls.isLibrary($0.path) }
      .flatMap { file in file.swift.map { violations(in: file.path, $0) } ?? [] }
  }

  private static func violations(in path: String, _ swift: SwiftText) -> [Violation] {
    guard swift.code.lineCount > 0 else { return [] }
    let lines = (1...swift.code.lineCount).map { swift.code.line($0) }
    let declared = declarations(lines)
    let excused = conformances(declared, lines).reduce(into: Set<String>()) {
      $0.formUnion(requirements[$1] ?? [])
    }
    let properties = Set(
      declared.filter { ["let", "var"].contains($0.kind) && $0.isPublic }.map(\.name))
    return declared.filter { found in
      guard found.isPublic, found.kind != "extension", !excused.contains(found.name),
        !DocumentationRules.isDocumented(swift, line: found.line)
      else { return false }
      guard found.kind == "init" else { return true }
      let (parameters, throwing) = signature(lines[(found.line - 1)...])
      let isExcused = parameters.allSatisfy {
        properties.contains($0.name) || excused.contains($0.label)
      }
      return throwing || !isExcused
    }
    .map {
      Violation(
        path: path, line: $0.line, finding: "public \($0.kind) \($0.name) without a doc comment",
        remedy: "say in /// what its name does not: purpose, unit, limits, errors, concurrency")
    }
  }

  private struct Declaration {
    let kind: String
    let name: String
    /// From 1.
    let line: Int
    /// Whether it is marked public, or is a case of a public enum or a requirement of a public
    /// protocol.
    var isPublic: Bool
  }

  /// Finds the declarations that begin their lines.
  private static func declarations(_ lines: [String]) -> [Declaration] {
    var found: [Declaration] = []
    var depth = 0
    // The public enums and protocols around the line, with the depth of their bodies.
    var open: [(kind: String, depth: Int)] = []
    for (index, line) in lines.enumerated() {
      let words = line.split { " (<:".contains($0) }.map(String.init)
      if let place = words.firstIndex(where: kinds.contains),
        words[..<place].allSatisfy(isModifier)
      {
        var isPublic = words[..<place].contains("public")
        let kind = words[place]
        if let inner = open.last, inner.depth == depth {
          isPublic = isPublic || inner.kind == "protocol" || kind == "case"
        }
        found.append(
          Declaration(
            kind: kind, name: name(kind, words[(place + 1)...], line), line: index + 1,
            isPublic: isPublic))
        if isPublic, ["enum", "protocol"].contains(kind) { open.append((kind, depth + 1)) }
      }
      depth += line.count { $0 == "{" } - line.count { $0 == "}" }
      while let last = open.last, depth < last.depth, line.contains("}") { open.removeLast() }
    }
    return found
  }

  /// Whether a word may stand before the keyword of a declaration.
  private static func isModifier(_ word: String) -> Bool {
    word.hasPrefix("@") || word.hasSuffix(")")
      || [
        "convenience", "final", "indirect", "internal", "mutating", "nonisolated", "override",
        "package", "private", "public", "required", "static", "unowned", "weak",
      ].contains(word)
  }

  private static func name(_ kind: String, _ rest: ArraySlice<String>, _ line: String) -> String {
    if kind == "subscript" || kind == "init" { return kind }
    // An operator is cut off with the punctuation.
    if kind == "func", line.contains("func <") { return "<" }
    return rest.first ?? ""
  }

  /// Returns the names of the protocols to which the types of a file declare to conform.
  private static func conformances(_ declared: [Declaration], _ lines: [String]) -> Set<String> {
    var names: Set<String> = []
    for declaration in declared where types.contains(declaration.kind) {
      let head = lines[(declaration.line - 1)...].prefix(4).joined(separator: " ").prefix {
        $0 != "{"
      }
      guard let colon = head.firstIndex(of: ":") else { continue }
      names.formUnion(head[colon...].split { " :,&.".contains($0) }.map(String.init))
    }
    return names
  }

  /// Returns the parameters of the initializer that begins on the first line, and whether it
  /// throws.
  private static func signature(
    _ lines: ArraySlice<String>
  ) -> (parameters: [(label: String, name: String)], throws: Bool) {
    var parameters: [String] = [""]
    var depth = 0
    var rest = ""
    var isOver = false
    for character in lines.joined(separator: " ") {
      if isOver {
        if character == "{" { break }
        rest.append(character)
        continue
      }
      if ")]".contains(character) { depth -= 1 }
      if depth == 0, character == ")" {
        isOver = true
      } else if depth == 1, character == "," {
        parameters.append("")
      } else if depth > 0 {
        parameters[parameters.count - 1].append(character)
      }
      if "([".contains(character) { depth += 1 }
    }
    return (
      parameters.compactMap { text in
        let names = text.prefix { $0 != ":" }.split(separator: " ")
        guard let first = names.first, let last = names.last else { return nil }
        return (String(first), String(last))
      },
      rest.contains("throws")
    )
  }
}
