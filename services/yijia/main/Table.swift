/// Returns a number with what is counted: `1 row`, `2 rows`.
func counted(_ number: some BinaryInteger, _ noun: String) -> String {
  "\(number) \(noun)\(number == 1 ? "" : "s")"
}

/// A table for terminals. A column is as wide as its widest cell; a Han character takes two
/// terminal columns.
struct Table {
  enum Alignment { case left, right }

  private let title: String
  private let header: [String]
  private let alignment: [Alignment]
  private var rows: [[String]] = []

  init(_ title: String, _ columns: [(String, Alignment)]) {
    self.title = title
    header = columns.map(\.0)
    alignment = columns.map(\.1)
  }

  mutating func add(_ cells: String...) { add(cells) }

  mutating func add(_ cells: [String]) { rows.append(cells) }

  /// Adds a row that is set apart from those above it.
  mutating func addTotal(_ cells: String...) { addTotal(cells) }

  mutating func addTotal(_ cells: [String]) {
    rows.append([])
    rows.append(cells)
  }

  var text: String {
    let widths = header.indices.map { column in
      ([header] + rows).map { $0.isEmpty ? 0 : Self.width(of: $0[column]) }.max() ?? 0
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "──")
    let line = { (cells: [String]) -> String in
      guard !cells.isEmpty else { return rule }
      return zip(cells.indices, cells).map { column, cell in
        let space = String(repeating: " ", count: widths[column] - Self.width(of: cell))
        return alignment[column] == .left ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    return ([title, rule, line(header), rule] + rows.map(line) + [rule]).joined(separator: "\n")
  }

  /// Returns the width of a text in terminal columns (Unicode UAX 11: wide and full-width
  /// characters take two).
  static func width(of text: String) -> Int {
    text.unicodeScalars.reduce(0) { sum, scalar in
      switch scalar.value {
      case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
        sum + 2
      default: sum + 1
      }
    }
  }
}
