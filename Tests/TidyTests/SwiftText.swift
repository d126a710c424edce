/// A Swift source separated: `code` has comments and the contents of strings blanked, `comments`
/// has everything else blanked. Both keep every line break, so offsets and line numbers are those
/// of the file.
struct SwiftText: Sendable {
  let code: Text
  let comments: Text

  init(_ text: Text) {
    var scanner = Scanner(text.bytes)
    scanner.run()
    code = Text(scanner.code)
    comments = Text(scanner.comments)
  }
}

/// A single pass over the bytes. A string may contain code (an interpolation), which may contain
/// strings.
private struct Scanner {
  private enum Frame {
    /// Code; inside an interpolation, with the number of open parentheses.
    case code(parentheses: Int)
    /// A string literal: its number signs, and whether it has three quotes.
    case string(pounds: Int, multiline: Bool)
  }

  private let bytes: [UInt8]
  private var position = 0
  private var frames: [Frame] = [.code(parentheses: 0)]
  private(set) var code: [UInt8]
  private(set) var comments: [UInt8]

  private static let quote = UInt8(ascii: "\"")
  private static let pound = UInt8(ascii: "#")
  private static let slash = UInt8(ascii: "/")
  private static let backslash = UInt8(ascii: "\\")

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    let blank = bytes.map { $0 == .newline ? $0 : UInt8.space }
    code = blank
    comments = blank
  }

  mutating func run() {
    while position < bytes.count {
      switch frames.last {
      case .string(let pounds, let multiline): string(pounds: pounds, multiline: multiline)
      default: plain()
      }
    }
  }

  private mutating func plain() {
    if starts("//") { return lineComment() }
    if starts("/*") { return blockComment() }
    let pounds = count(of: Self.pound, from: position)
    if byte(position + pounds) == Self.quote { return open(pounds: pounds) }
    if pounds > 0, byte(position + pounds) == Self.slash { return regex(pounds: pounds) }
    if byte(position) == Self.slash, mayStartRegex() { return regex(pounds: 0) }
    let current = bytes[position]
    if case .code(let parentheses) = frames.last, frames.count > 1 {
      if current == UInt8(ascii: "(") {
        frames[frames.count - 1] = .code(parentheses: parentheses + 1)
      } else if current == UInt8(ascii: ")") {
        frames[frames.count - 1] = .code(parentheses: parentheses - 1)
        if parentheses == 1 { frames.removeLast() }
      }
    }
    code[position] = current
    position += 1
  }

  private mutating func open(pounds: Int) {
    position += pounds
    let multiline = count(of: Self.quote, from: position) >= 3
    code[position] = Self.quote
    position += multiline ? 3 : 1
    frames.append(.string(pounds: pounds, multiline: multiline))
  }

  private mutating func string(pounds: Int, multiline: Bool) {
    let current = bytes[position]
    if current == Self.backslash, count(of: Self.pound, from: position + 1) >= pounds {
      let escaped = position + 1 + pounds
      if byte(escaped) == UInt8(ascii: "(") { frames.append(.code(parentheses: 1)) }
      // An escaped line break is kept: the blanked text has it already.
      position = escaped + 1
    } else if current == Self.quote,
      count(of: Self.quote, from: position) >= (multiline ? 3 : 1),
      count(of: Self.pound, from: position + (multiline ? 3 : 1)) >= pounds
    {
      code[position] = Self.quote
      position += (multiline ? 3 : 1) + pounds
      frames.removeLast()
    } else {
      if current == .newline, !multiline { frames.removeLast() }
      position += 1
    }
  }

  private mutating func lineComment() {
    while position < bytes.count, bytes[position] != .newline {
      comments[position] = bytes[position]
      position += 1
    }
  }

  private mutating func blockComment() {
    var depth = 0
    repeat {
      let opens = starts("/*")
      let closes = starts("*/")
      depth += opens ? 1 : closes ? -1 : 0
      for _ in 0..<(opens || closes ? 2 : 1) where position < bytes.count {
        comments[position] = bytes[position]
        position += 1
      }
    } while depth > 0 && position < bytes.count
  }

  /// Skips a regular expression; a slash without a partner is an operator. An extended one
  /// (`#/…/#`) may span lines.
  private mutating func regex(pounds: Int) {
    var end = position + pounds + 1
    while end < bytes.count, pounds > 0 || bytes[end] != .newline {
      if bytes[end] == Self.backslash {
        end += 2
      } else if bytes[end] == Self.slash, count(of: Self.pound, from: end + 1) >= pounds {
        position = end + 1 + pounds
        return
      } else {
        end += 1
      }
    }
    code[position] = bytes[position]
    position += 1
  }

  /// A bare slash opens a regular expression only where an operand may stand.
  private func mayStartRegex() -> Bool {
    guard let next = byte(position + 1), !next.isBlank, next != UInt8(ascii: ")") else {
      return false
    }
    var before = position - 1
    while before >= 0, code[before] == .space { before -= 1 }
    return before < 0 || "(,=:[{!&|?;\n".utf8.contains(code[before])
  }

  private func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

  private func count(of wanted: UInt8, from start: Int) -> Int {
    var end = start
    while end < bytes.count, bytes[end] == wanted { end += 1 }
    return end - start
  }

  private func starts(_ token: StaticString) -> Bool {
    byte(position) == token.utf8Start[0] && byte(position + 1) == token.utf8Start[1]
  }
}
