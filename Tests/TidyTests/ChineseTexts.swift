/// The Chinese texts that a service's callers read.
enum ChineseTexts {
  private static let folders = [
    "Sources/ServiceKit/", "services/gateway/", "services/members/", "services/stations/",
    "services/yijia/",
  ]
  private static let half: Set<Character> = [",", ";", ":", "!", "?"]

  /// Half-width punctuation next to a Chinese character, on the lines of a `zh:` text, and on any
  /// line of a page or a Chinese document.
  static func halfWidth(_ repository: Repository) -> [Violation] {
    let pages = repository.handWritten.filter { file in
      [".js", ".html", ".zh-CN.md"].contains(where: file.path.hasSuffix)
    }
    let texts = repository.swift.filter { file in folders.contains(where: file.path.hasPrefix) }
    let lines =
      pages.flatMap { file in (0..<file.text.lineCount).map { (file, $0 + 1) } }
      + texts.flatMap { file in
        file.text.occurrences(of: "zh").map { (file, file.text.line(at: $0)) }
      }
    return lines.filter { file, line in isMixed(file.text.line(line)) }.map { file, line in
      Violation(
        path: file.path, line: line, finding: "half-width punctuation in a Chinese text",
        remedy: "write ，；：！？ there")
    }
  }

  private static func isMixed(_ line: String) -> Bool {
    guard !line.drop(while: { $0 == " " }).hasPrefix("//") else { return false }
    return zip(line, line.dropFirst()).contains { isHan($0) && half.contains($1) }
  }

  private static func isHan(_ character: Character) -> Bool {
    character.unicodeScalars.allSatisfy { (0x4e00...0x9fff).contains($0.value) }
  }
}
