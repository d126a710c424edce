/// Checks imports against the table and the rules for the repository as a whole.
struct ImportRules {
  struct Import: Hashable {
    let module: String
    let line: Int
  }

  private let repository: Repository
  private let table: ImportTable
  /// The targets that import a module, without tests.
  private let importers: [String: Set<String>]

  init(_ repository: Repository) {
    self.repository = repository
    table = ImportTable(repository)
    var importers: [String: Set<String>] = [:]
    for file in repository.files
    where file.path.hasSuffix(".swift") && !file.path.hasPrefix("Tests/") && !file.isCopy {
      let parts = file.path.split(separator: "/")
      guard parts.count > 1 else { continue }
      for item in Self.imports(file) {
        importers[item.module, default: []].insert(String(parts[1]))
      }
    }
    self.importers = importers
  }

  /// Finds imports that a target's row does not allow.
  func violations() -> [Violation] {
    repository.files.filter { $0.path.hasSuffix(".swift") && !$0.isCopy }.flatMap { file in
      file.path.hasPrefix("Tests/") ? testViolations(file) : targetViolations(file)
    }
  }

  private func targetViolations(_ file: SourceFile) -> [Violation] {
    guard file.path.hasPrefix("Sources/") || file.path.hasPrefix("services/") else { return [] }
    guard let row = table.row(of: file.path) else {
      return [
        Violation(
          path: file.path, line: 0, finding: "a target without a row in the import table",
          remedy: "decide its place in the stack and add it to Tests/TidyTests/ImportTable.swift")
      ]
    }
    return Self.imports(file).compactMap { item in
      let allowed = ImportTable.standard.contains(item.module) || row.modules.contains(item.module)
      return allowed
        ? nil
        : Violation(
          path: file.path, line: item.line,
          finding: "\(row.folder) may not import \(item.module)",
          remedy: "move what needs it to the layer that may, or put a protocol between; the table"
            + " is Tests/TidyTests/ImportTable.swift")
    }
  }

  /// Tests may import what they test and its neighbors, but raw C modules and a service's internals
  /// are reserved to the tests of their owner.
  private func testViolations(_ file: SourceFile) -> [Violation] {
    let suite = file.path.split(separator: "/").dropFirst().first.map(String.init) ?? ""
    let cores = ImportTable.cores(repository).map(\.core)
    let libraries = ImportTable.cLibraries(repository)
    return Self.imports(file).compactMap { item in
      // Fuzz targets of a service are in the folder of its name.
      let isOwn =
        suite == item.module + "Tests"
        || file.path.hasPrefix("Tests/Fuzz/\(item.module.dropLast("Core".count))/")
      let isForeignCore = cores.contains(item.module) && !isOwn
      let owners = importers[item.module, default: []].map { $0 + "Tests" }
      let isForeignC = libraries.contains(item.module) && !owners.contains(suite)
      guard isForeignCore || isForeignC else { return nil }
      return Violation(
        path: file.path, line: item.line, finding: "\(suite) may not import \(item.module)",
        remedy: isForeignC
          ? "test through the Swift face of the target that owns it"
          : "services meet through their generated clients, in tests too; else it belongs in"
            + " Tests/Integration")
    }
  }

  /// Each C library has exactly one importer, so that all unsafe code is in a few files.
  func libraryViolations() -> [Violation] {
    ImportTable.cLibraries(repository).compactMap { library in
      let importers = importers[library, default: []].sorted()
      return importers.count == 1
        ? nil
        : Violation(
          path: "Sources/\(library)", line: 0,
          finding: "imported by \(importers.count) targets: \(importers.joined(separator: ", "))",
          remedy: "a C library has exactly one importer: give the others its Swift face")
    }
  }

  /// Returns the modules that a file imports, whatever modifiers stand beside `import`.
  static func imports(_ file: SourceFile) -> [Import] {
    let kinds: Set<Substring> = [
      "actor", "class", "enum", "func", "let", "protocol", "struct", "typealias", "var",
    ]
    let text = file.swift?.code ?? file.text
    return text.occurrences(of: "import", member: false).compactMap { start in
      let number = text.line(at: start)
      let words = text.line(number).split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ";" })
      guard let keyword = words.firstIndex(of: "import"),
        words[..<keyword].allSatisfy({ isModifier($0) }), keyword + 1 < words.count
      else { return nil }
      var name = words[keyword + 1]
      if kinds.contains(name), keyword + 2 < words.count { name = words[keyword + 2] }
      return Import(module: String(name.split(separator: ".")[0]), line: number)
    }
  }

  private static func isModifier(_ word: Substring) -> Bool {
    word.hasPrefix("@")
      || ["public", "package", "internal", "fileprivate", "private"].contains(word)
  }
}
