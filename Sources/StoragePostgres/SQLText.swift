/// SQL split into tokens, so that rewriting leaves literals, quoted identifiers and comments
/// unchanged.
struct SQLText {
  enum Piece: Equatable {
    /// Letters, digits and `_`, starting with a letter or `_`.
    case word(Substring)
    /// A parameter such as `?12`; a bare `?` has no number.
    case parameter(Int?)
    /// A `$1`, which the engines interpret differently.
    case dollar
    /// White space and comments.
    case space(Substring)
    /// A literal or a quoted identifier.
    case quoted(Substring)
    /// A number, or one punctuation character.
    case other(Substring)
  }

  let pieces: [Piece]

  init(_ text: String) {
    var scanner = SQLScanner(Substring(text))
    var pieces: [Piece] = []
    while let piece = scanner.next() { pieces.append(piece) }
    self.pieces = pieces
  }
}

/// A tokenizer.
private struct SQLScanner {
  private var rest: Substring

  init(_ text: Substring) {
    rest = text
  }

  mutating func next() -> SQLText.Piece? {
    guard let first = rest.unicodeScalars.first else { return nil }
    switch first {
    case "'", "\"": return .quoted(quoted(first))
    case "?": return parameter()
    case "$": return dollar()
    case _ where isWordStart(first): return .word(take { isWordStart($0) || isDigit($0) })
    case _ where isDigit(first): return .other(take { isDigit($0) || isWordStart($0) || $0 == "." })
    case _ where first.properties.isWhitespace: return .space(take { $0.properties.isWhitespace })
    case "-" where rest.hasPrefix("--"): return .space(take { $0 != "\n" })
    case "/" where rest.hasPrefix("/*"): return .space(comment())
    default: return .other(cut(after: 1))
    }
  }

  /// Consumes the scalars that satisfy a predicate.
  private mutating func take(_ belongs: (Unicode.Scalar) -> Bool) -> Substring {
    let scalars = rest.unicodeScalars
    let end = scalars.firstIndex { !belongs($0) } ?? scalars.endIndex
    return cut(to: end)
  }

  private mutating func cut(after count: Int) -> Substring {
    let scalars = rest.unicodeScalars
    return cut(
      to: scalars.index(scalars.startIndex, offsetBy: count, limitedBy: scalars.endIndex)
        ?? scalars.endIndex)
  }

  private mutating func cut(to end: String.Index) -> Substring {
    defer { rest = rest[end...] }
    return rest[..<end]
  }

  /// Consumes a quoted text. A doubled quote inside yields two adjacent tokens, which concatenate
  /// to the same text.
  private mutating func quoted(_ quote: Unicode.Scalar) -> Substring {
    let scalars = rest.unicodeScalars
    let from = scalars.index(after: scalars.startIndex)
    guard let end = scalars[from...].firstIndex(of: quote) else { return cut(to: rest.endIndex) }
    return cut(to: scalars.index(after: end))
  }

  /// Consumes a comment; PostgreSQL's comments nest.
  private mutating func comment() -> Substring {
    let scalars = rest.unicodeScalars
    var depth = 0
    var index = scalars.startIndex
    while index < scalars.endIndex {
      let tail = rest[index...]
      if tail.hasPrefix("/*") {
        depth += 1
      } else if tail.hasPrefix("*/") {
        depth -= 1
      } else {
        index = scalars.index(after: index)
        continue
      }
      index = scalars.index(index, offsetBy: 2)
      if depth == 0 { return cut(to: index) }
    }
    return cut(to: rest.endIndex)
  }

  private mutating func parameter() -> SQLText.Piece {
    _ = cut(after: 1)
    return .parameter(Int(take { isDigit($0) }))
  }

  /// Consumes `$1`, or a dollar-quoted literal: `$tag$ … $tag$`.
  private mutating func dollar() -> SQLText.Piece {
    let whole = rest
    _ = cut(after: 1)
    let name = take { isWordStart($0) || isDigit($0) }
    guard rest.hasPrefix("$"), !(name.unicodeScalars.first.map(isDigit) ?? false) else {
      return .dollar
    }
    let tag = "$\(name)$"
    _ = cut(after: 1)
    let end = rest.range(of: tag)?.upperBound ?? rest.endIndex
    rest = rest[end...]
    return .quoted(whole[..<end])
  }
}

private func isDigit(_ scalar: Unicode.Scalar) -> Bool { scalar >= "0" && scalar <= "9" }

private func isWordStart(_ scalar: Unicode.Scalar) -> Bool {
  scalar == "_" || scalar.properties.isAlphabetic
}

extension Substring {
  /// Returns the range of the first occurrence of `text`.
  fileprivate func range(of text: String) -> Range<Index>? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(text) {
        return index..<self.index(index, offsetBy: text.count)
      }
      index = self.index(after: index)
    }
    return nil
  }
}
