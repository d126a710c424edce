/// Public declarations are documented; the front pages list all targets of the Makefile.
enum DocumentationRules {
  /// Finds public types of the libraries without a doc comment. An `AsyncIterator` is documented by
  /// its sequence.
  static func publicTypes(_ repository: Repository) -> [Violation] {
    let kinds = ["actor", "class", "enum", "protocol", "struct"]
    return repository.swift.filter { BannedCalls.isLibrary($0.path) }.flatMap { file in
      guard let swift = file.swift else { return [Violation]() }
      return swift.code.occurrences(of: "public", member: false).compactMap { start in
        let number = swift.code.line(at: start)
        let words = swift.code.line(number).split { $0 == " " || $0 == ":" || $0 == "<" }
        let modifiers: Set<Substring> = ["public", "final", "indirect", "nonisolated"]
        guard let kind = words.first(where: { !modifiers.contains($0) && !$0.hasPrefix("@") }),
          kinds.contains(String(kind)), !words.contains("AsyncIterator"),
          !isDocumented(swift, line: number)
        else { return nil }
        return Violation(
          path: file.path, line: number,
          finding: "public \(words.drop { $0 != kind }.prefix(2).joined(separator: " "))"
            + " without a doc comment",
          remedy: "say its purpose, units, errors and concurrency contract in ///")
      }
    }
  }

  /// Modules whose every public declaration must be documented.
  static let documentedModules = [
    "HTTP2", "Protobuf", "RPC", "RPCInProcess", "RPCTransport", "ServiceKit",
  ]

  /// Requirements of protocols, which are documented there.
  private static let witnesses: Set = [
    // The standard library's.
    "<", "==", "AsyncIterator", "Element", "debugDescription", "description", "endIndex", "hash",
    "makeAsyncIterator", "next", "rawValue", "startIndex",
    // Our own protocols'.
    "callStarted", "check", "claims", "code", "fieldFailures", "intercept", "list", "metadata",
    "methods", "openExchange", "policy", "reason", "retryAfter", "serve", "text", "watch",
    // swift-metrics' and swift-distributed-tracing's.
    "addEvent", "addLink", "attributes", "destroyCounter", "destroyRecorder", "destroyTimer",
    "end", "extract", "forceFlush", "inject", "isRecording", "makeCounter", "makeRecorder",
    "makeTimer", "operationName", "recordError", "setStatus", "startSpan",
  ]

  /// Finds public members of the documented modules without a doc comment. Exempt are an
  /// initializer that does not throw, whose parameters are the members; requirements of a protocol;
  /// and a line right under a documented one, which shares its comment.
  static func publicMembers(_ repository: Repository) -> [Violation] {
    repository.swift.filter { file in
      documentedModules.contains { file.path.hasPrefix("Sources/\($0)/") }
    }.flatMap { file -> [Violation] in
      guard let swift = file.swift, swift.code.lineCount > 0 else { return [] }
      var found: [Violation] = []
      var isCovered = false
      for number in 1...swift.code.lineCount {
        let line = swift.code.line(number)
        guard let member = publicMember(line) else {
          isCovered = false
          continue
        }
        isCovered = isCovered || isDocumented(swift, line: number)
        if !isCovered, needsComment(member, line) {
          found.append(
            Violation(
              path: file.path, line: number,
              finding: "public \(member.kind) \(member.name) without a doc comment",
              remedy: "say in /// what it is, its unit and limits, what it throws"))
        }
        // Only a declaration that ends on its line can share its comment with the next.
        if line.hasSuffix("{") { isCovered = false }
      }
      return found
    }
  }

  private static func needsComment(
    _ member: (kind: String, name: String), _ line: String
  ) -> Bool {
    switch member.kind {
    case "extension", "import": false
    case "init": line.contains("throws")
    case "subscript": !line.contains("(index:")
    default: !witnesses.contains(member.name)
    }
  }

  /// Parses the public declaration on a line.
  private static func publicMember(_ line: String) -> (kind: String, name: String)? {
    let words = line.split { " (<:".contains($0) }.map(String.init)
    guard words.contains("public") else { return nil }
    let kinds: Set = [
      "actor", "associatedtype", "case", "class", "enum", "extension", "func", "import", "init",
      "let", "protocol", "struct", "subscript", "typealias", "var",
    ]
    guard let place = words.firstIndex(where: { kinds.contains($0) }) else { return nil }
    let name = place + 1 < words.count ? words[place + 1] : ""
    // An operator is cut off above.
    return (words[place], name.isEmpty || line.contains("func <") ? "<" : name)
  }

  /// Attributes may stand between the comment and the declaration.
  private static func isDocumented(_ swift: SwiftText, line: Int) -> Bool {
    var above = line - 1
    while swift.code.line(above).drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
    return swift.comments.line(above).drop { $0 == " " }.hasPrefix("///")
  }

  /// Checks that every target of `make help` is on both front pages.
  static func frontPages(_ repository: Repository) -> [Violation] {
    let targets = makeTargets(repository)
    return ["README.md", "README.zh-CN.md"].flatMap { page -> [Violation] in
      guard let file = repository.file(page) else {
        return [Violation(path: page, line: 0, finding: "is missing", remedy: "write it")]
      }
      return targets.filter { file.text.occurrences(of: "make \($0)").isEmpty }.map {
        Violation(
          path: page, line: 0, finding: "does not tell of `make \($0)`",
          remedy: "add it to the table of commands, in both languages")
      }
    }
  }

  static func makeTargets(_ repository: Repository) -> [String] {
    guard let makefile = repository.file("Makefile"), makefile.text.lineCount > 0 else { return [] }
    return (1...makefile.text.lineCount).compactMap { number in
      let line = makefile.text.line(number)
      guard line.contains(" ## "), let end = line.firstIndex(of: ":") else { return nil }
      return String(line[..<end])
    }
  }
}
