/// All service folders have the same structure: whoever knows one knows all.
enum ServiceRules {
  static let mainLinesMax = 120
  /// The command line is not a service: it owns no data, listens on nothing and has no library.
  private static let commandLine = "yijia"

  static func violations(_ repository: Repository) -> [Violation] {
    repository.subfolders(of: "services").flatMap { service in
      service == commandLine
        ? commonRooms(service, repository)
        : commonRooms(service, repository) + serviceRooms(service, repository)
    }
  }

  private static func commonRooms(_ service: String, _ repository: Repository) -> [Violation] {
    let folder = "services/\(service)"
    var found: [Violation] = []
    if repository.file("\(folder)/README.md") == nil {
      found.append(
        Violation(
          path: folder, line: 0, finding: "no README.md",
          remedy: "say what it owns, its RPCs, tables, invariants, whom it calls, configuration"))
    }
    let hasMain = repository.swift.contains { file in
      file.path == "\(folder)/main/main.swift"
        || file.path.hasPrefix("\(folder)/main/")
          && file.swift?.code.occurrences(of: "@main").isEmpty == false
    }
    if !hasMain {
      found.append(
        Violation(
          path: folder, line: 0, finding: "no main/main.swift, and no @main under main/",
          remedy: "it reads the configuration, opens stores, wires, runs"))
    }
    return found
  }

  private static func serviceRooms(_ service: String, _ repository: Repository) -> [Violation] {
    let folder = "services/\(service)"
    var found: [Violation] = []
    if !repository.files.contains(where: { $0.path.hasPrefix("\(folder)/config.example.") }) {
      found.append(
        Violation(
          path: folder, line: 0, finding: "no config.example.*",
          remedy: "ship one that a test parses: every field with its default, unit and limit"))
    }
    let core = service.prefix(1).uppercased() + service.dropFirst() + "Core"
    if !repository.subfolders(of: folder).contains(core) {
      found.append(
        Violation(
          path: folder, line: 0, finding: "no \(core)",
          remedy: "the service is a library, which a test can hold, beside its main"))
    }
    let mains = repository.swift.filter { $0.path.hasPrefix("\(folder)/main/") }
    let lineCount = mains.reduce(0) { $0 + $1.text.lineCount }
    if lineCount > mainLinesMax {
      found.append(
        Violation(
          path: "\(folder)/main", line: 0, finding: "\(lineCount) lines, \(mainLinesMax) at most",
          remedy: "a main wires; move logic to \(core), what all mains do to ServiceKit"))
    }
    return found
  }
}
