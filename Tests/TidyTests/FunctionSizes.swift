/// The functions, initializers, subscripts and computed properties of a Swift file, with their
/// lengths.
struct FunctionSizes {
  struct Function: Hashable {
    let name: String
    /// Line of the keyword, from 1.
    let line: Int
    /// Lines from the keyword to the closing brace, inclusive.
    let lineCount: Int
  }

  private let code: Text

  init(_ swift: SwiftText) { code = swift.code }

  func all() -> [Function] {
    var found: [Function] = []
    for keyword in ["func", "init", "deinit", "subscript", "var"] {
      for start in code.occurrences(of: keyword, member: false) {
        guard let open = body(after: start + keyword.utf8.count, keyword: keyword) else { continue }
        let first = code.line(at: start)
        let last = code.line(at: closing(open))
        found.append(
          Function(
            name: name(keyword, after: start + keyword.utf8.count), line: first,
            lineCount: last - first + 1))
      }
    }
    return found.sorted { $0.line < $1.line }
  }

  /// Words that begin another declaration: a requirement of a protocol ends before them.
  private static let declarations: Set = [
    "associatedtype", "actor", "case", "class", "deinit", "enum", "extension", "fileprivate",
    "func", "import", "init", "internal", "isolated", "let", "mutating", "nonisolated", "open",
    "override", "package", "private", "protocol", "public", "static", "struct", "subscript",
    "typealias", "var",
  ]

  /// Returns the offset of the brace that opens the body; nil where there is no body.
  private func body(after start: Int, keyword: String) -> Int? {
    var depth = 0
    var index = start
    while index < code.bytes.count {
      switch code.bytes[index] {
      case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: "{") where depth == 0: return index
      case UInt8(ascii: "}") where depth == 0, UInt8(ascii: ";") where depth == 0: return nil
      case .newline where depth == 0:
        if keyword == "var" || endsDeclaration(index + 1) { return nil }
      default: break
      }
      if depth < 0 { return nil }
      index += 1
    }
    return nil
  }

  /// Whether a new declaration starts at this line.
  private func endsDeclaration(_ lineStart: Int) -> Bool {
    var index = lineStart
    while index < code.bytes.count, code.bytes[index] == .space { index += 1 }
    guard index < code.bytes.count else { return true }
    if code.bytes[index] == UInt8(ascii: "@") || code.bytes[index] == UInt8(ascii: "#") {
      return true
    }
    return Self.declarations.contains(word(at: index))
  }

  private func closing(_ open: Int) -> Int {
    var depth = 0
    for index in open..<code.bytes.count {
      switch code.bytes[index] {
      case UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "}"):
        depth -= 1
        if depth == 0 { return index }
      default: break
      }
    }
    return code.bytes.count - 1
  }

  private func name(_ keyword: String, after end: Int) -> String {
    guard keyword == "func" || keyword == "var" else { return keyword }
    var index = end
    while index < code.bytes.count, code.bytes[index] == .space { index += 1 }
    return word(at: index)
  }

  private func word(at start: Int) -> String {
    var end = start
    while end < code.bytes.count, code.bytes[end].isWord { end += 1 }
    return String(decoding: code.bytes[start..<end], as: UTF8.self)
  }
}
