/// Text with indentation.
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

  /// `head {`, what `body` writes, `}`. The brace is added where `head` opens nothing itself.
  mutating func block(_ head: String, _ tail: String = "}", _ body: (inout Writer) -> Void) {
    let isOpen = ["{", "(", "[", " in"].contains { head.hasSuffix($0) }
    line(isOpen ? head : head + " {")
    depth += 1
    body(&self)
    depth -= 1
    line(tail)
  }

  /// A comment of the contract as documentation.
  mutating func documentation(_ comment: [String]) {
    for line in comment { self.line(line.isEmpty ? "///" : "/// " + line) }
  }
}
