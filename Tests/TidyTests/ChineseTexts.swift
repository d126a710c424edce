/// The Chinese texts that a service's callers read.
enum ChineseTexts {
  private static let folders = [
    "Sources/ServiceKit/", "services/gateway/", "services/members/", "services/stations/",
  ]
  private static let half: Set<Character> = [",", ";", ":", "!", "?"]

  /// Half-width punctuation next to a Chinese character, on the lines of a `zh:` text.
  static func halfWidth(_ repository: Repository) -> [Violation] {
    repository.swift.filter { file in folders.contains(where: file.path.hasPrefix) }
      .flatMap { file in
        file.text.occurrences(of: "zh").map { file.text.line(at: $0) }
          .filter { isMixed(file.text.line($0)) }
          .map {
            Violation(
              path: file.path, line: $0, finding: "half-width punctuation in a Chinese text",
              remedy: "write ，；：！？ there")
          }
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
