/// Limits on the sizes of files, functions and lines.
enum SizeRules {
  static let fileLinesMax = 500
  static let functionLinesMax = 70
  static let columnsMax = 100

  private static let codeExtensions = [".swift", ".c", ".h", ".py", ".sh", ".js", ".css"]

  static func files(_ repository: Repository) -> [Violation] {
    code(repository).filter { $0.text.lineCount > fileLinesMax }.map { file in
      Violation(
        path: file.path, line: 0,
        finding: "\(file.text.lineCount) lines, \(fileLinesMax) at most",
        remedy: "split it by noun: Type+Aspect.swift, one file an RPC")
    }
  }

  static func functions(_ repository: Repository) -> [Violation] {
    repository.swift.flatMap { file -> [Violation] in
      guard let swift = file.swift else { return [] }
      return FunctionSizes(swift).all().filter { $0.lineCount > functionLinesMax }.map {
        Violation(
          path: file.path, line: $0.line,
          finding: "\($0.name) has \($0.lineCount) lines, \(functionLinesMax) at most",
          remedy: "name its steps and make each a function, or its data a table outside of it")
      }
    }
  }

  static func lines(_ repository: Repository) -> [Violation] {
    let contracts = repository.handWritten.filter {
      $0.path.hasPrefix("proto/yijia/") && $0.path.hasSuffix(".proto")
    }
    return (code(repository) + contracts).flatMap { file -> [Violation] in
      guard file.text.lineCount > 0 else { return [] }
      return (1...file.text.lineCount).compactMap { number in
        let line = file.text.line(number)
        let columns = line.count
        // buf format keeps the head of an RPC on one line, whatever its length.
        return columns <= columnsMax || file.path.hasSuffix(".proto") && line.hasPrefix("  rpc ")
          ? nil
          : Violation(
            path: file.path, line: number,
            finding: "\(columns) columns, \(columnsMax) at most",
            remedy: "make format breaks code; break comments and strings by hand")
      }
    }
  }

  private static func code(_ repository: Repository) -> [SourceFile] {
    repository.handWritten.filter { file in
      codeExtensions.contains { file.path.hasSuffix($0) }
    }
  }
}
