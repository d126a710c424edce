/// Text output with indentation.
struct Writer {
  private(set) var text = ""
  private var depth = 0

  mutating func line(_ line: String = "") {
    if !line.isEmpty {
      text += String(repeating: "  ", count: depth)
      text += line
    }
    text += "\n"
  }

  mutating func lines(_ lines: [String]) {
    for line in lines { self.line(line) }
  }

  /// Writes `head {`, the output of `body`, and `}`. No brace is added if `head` ends with a
  /// bracket.
  mutating func block(_ head: String, _ tail: String = "}", _ body: (inout Writer) -> Void) {
    let isOpen = ["{", "(", "[", " in"].contains { head.hasSuffix($0) }
    line(isOpen ? head : head + " {")
    depth += 1
    body(&self)
    depth -= 1
    line(tail)
  }

  /// Writes a comment of the contract as a documentation comment.
  mutating func documentation(_ comment: [String]) {
    for line in comment { self.line(line.isEmpty ? "///" : "/// " + line) }
  }
}
