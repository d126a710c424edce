/// Public declarations are documented; the front pages list all targets of the Makefile; a page has
/// the same code in both languages.
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

  /// Checks that a page of `docs` and its Chinese page have the same commands and code; comments
  /// and quoted words may be in either language.
  static func translations(_ repository: Repository) -> [Violation] {
    let suffix = ".zh-CN.md"
    let pages = repository.handWritten.filter {
      $0.path.hasPrefix("docs/") && $0.path.hasSuffix(suffix)
    }
    return pages.flatMap { page -> [Violation] in
      let original = "\(page.path.dropLast(suffix.count)).md"
      guard let file = repository.file(original) else { return [] }
      let (own, wanted) = (code(of: page.text), code(of: file.text))
      let difference = zip(own, wanted).first { $0.0.text != $0.1.text }?.0.line
      guard difference != nil || own.count != wanted.count else { return [] }
      return [
        Violation(
          path: page.path, line: difference ?? 0, finding: "has other code than \(original)",
          remedy: "copy the block; only comments and quoted words are translated")
      ]
    }
  }

  /// The lines of code blocks, without comments and quoted words.
  private static func code(of text: Text) -> [(line: Int, text: String)] {
    var (isCode, found): (Bool, [(Int, String)]) = (false, [])
    for number in 0..<text.lineCount {
      let line = text.line(number + 1).drop { $0 == " " }
      if line.hasPrefix("```") {
        isCode.toggle()
      } else if isCode {
        let code = " \(line)".split(separator: " #", omittingEmptySubsequences: false)[0]
        let words = code.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
          .filter { $0.offset.isMultiple(of: 2) }.map { $0.element.filter { $0 != " " } }
        if words != [""] { found.append((number + 1, words.joined(separator: "\""))) }
      }
    }
    return found
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
