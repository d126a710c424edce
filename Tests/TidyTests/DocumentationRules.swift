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

  /// Attributes may stand between the comment and the declaration.
  static func isDocumented(_ swift: SwiftText, line: Int) -> Bool {
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
