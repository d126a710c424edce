import Foundation
import ServiceKit

/// A column that a table may have.
struct CSVColumn {
  let name: String
  /// What a table in Chinese may call it.
  let heading: String
  /// Path of its field in refusals of the service.
  let path: String
  let isRequired: Bool
  /// The names that it may hold; empty where they are not from a list.
  let values: [String]

  init(
    _ name: String, _ heading: String, path: String? = nil, isRequired: Bool = false,
    values: [String] = []
  ) {
    (self.name, self.heading, self.path) = (name, heading, path ?? name)
    (self.isRequired, self.values) = (isRequired, values)
  }
}

/// A table in a CSV file with a header line, in UTF-8; commas, semicolons or tabs separate cells.
///
/// Nothing is guessed: a column that is unknown, or a row with another number of cells than the
/// header, refuses the whole file, because what stands where is not sure any more.
struct CSVFile {
  struct Row {
    /// As a spreadsheet counts rows; the header is 1.
    let number: Int
    /// As they are in the file.
    let cells: [String]
    /// By the names of the columns.
    let values: [String: String]
  }

  /// A larger file is not a table that a person prepared; services import those by stream.
  private static let bytesMax = 256 << 20
  /// Faults that are told of one file.
  private static let faultsMax = 10
  /// Column of a file of refused rows, which tells what is wrong with each.
  static let problemColumn = "problem"

  let columns: [CSVColumn]
  /// As in the file.
  let header: [String]
  let rows: [Row]

  /// - Parameters:
  ///   - path: `-` is standard input.
  ///   - columns: Those that are known.
  ///   - ignored: Columns that are passed over, as the file calls them.
  init(path: String, columns: [CSVColumn], ignoring ignored: [String] = []) throws {
    self.columns = columns
    let name = path == "-" ? Terminal.text(zh: "标准输入", en: "standard input") : path
    let text = try Self.read(path, name)
    let separator = Self.separator(of: text)
    let records: [CSVText.Record]
    do {
      records = try CSVText(text, separator: separator).records
    } catch {
      throw ConfigurationError("\(name): \(Self.text(error))")
    }
    guard let first = records.first else {
      throw ConfigurationError(zh: "\(name)：没有内容", en: "\(name): is empty")
    }
    header = Self.withoutTail(first.cells, keeping: 0).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    let names = header.map { heading in
      columns.first { $0.name == heading || $0.heading == heading }?.name ?? heading
    }
    let count = header.count
    var faults = Self.headerFaults(names, columns, ignored + [Self.problemColumn])
    rows = records.dropFirst().map { record in
      let cells = Self.withoutTail(record.cells, keeping: count)
      if cells.count != count {
        faults.append(Self.text(cells: cells.count, row: record.number, header: count))
      }
      let values = zip(names, cells.map(Self.value)).filter { !ignored.contains($0.0) }
      return Row(
        number: record.number, cells: cells,
        values: Dictionary(values) { first, _ in first })
    }
    guard faults.isEmpty else { throw ConfigurationError(Self.text(faults, of: name)) }
  }

  private static func read(_ path: String, _ name: String) throws -> String {
    let data =
      path == "-"
      ? try FileHandle.standardInput.read(upToCount: bytesMax + 1) ?? Data()
      : FileManager.default.contents(atPath: path)
    guard let data else {
      throw ConfigurationError(
        zh: "\(name)：无法读取；文件存在吗，您有权读取吗？",
        en: "\(name): cannot be read; is it there, and may you read it?")
    }
    guard data.count <= bytesMax else {
      throw ConfigurationError(
        zh: "\(name)：超过 \(bytesMax >> 20) MiB，请分成几个文件",
        en: "\(name): larger than \(bytesMax >> 20) MiB; split it into several files")
    }
    guard var text = String(data: data, encoding: .utf8) else {
      throw ConfigurationError(
        zh: "\(name)：不是 UTF-8 文本；请把表格另存为“CSV UTF-8”格式",
        en: "\(name): is not UTF-8 text; save the table as \"CSV UTF-8\"")
    }
    if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
    return text
  }

  /// What stands most often in the header: spreadsheets of some regions do not write commas.
  private static func separator(of text: String) -> UInt8 {
    let header = text.utf8.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    let counts = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")].map { separator in
      (separator, header.count { $0 == separator })
    }
    return counts.reduce(counts[0]) { $1.1 > $0.1 ? $1 : $0 }.0
  }

  /// Spreadsheets write separators for empty columns on the right.
  private static func withoutTail(_ cells: [String], keeping count: Int) -> [String] {
    let last = cells.lastIndex { !$0.isEmpty } ?? -1
    return Array(cells.prefix(max(last + 1, count)))
  }

  /// `yijia organizations export` puts an apostrophe before what a spreadsheet takes for a formula.
  private static func value(_ cell: String) -> String {
    cell.hasPrefix("'") && cell.dropFirst().first.map { "=+-@".contains($0) } == true
      ? String(cell.dropFirst()) : cell
  }

  private static func headerFaults(
    _ names: [String], _ columns: [CSVColumn], _ ignored: [String]
  ) -> [String] {
    let known = columns.map(\.name)
    let missing = columns.filter { $0.isRequired && !names.contains($0.name) }
    let unknown = names.filter { !known.contains($0) && !ignored.contains($0) }
    let twice = known.filter { name in names.count { $0 == name } > 1 }
    return missing.map { column in
      Terminal.text(
        zh: "缺少“\(column.heading)”列（\(column.name)）",
        en: "column \(column.name) (\(column.heading)) is missing")
    }
      + unknown.map { text(unknown: $0, among: known + columns.map(\.heading)) }
      + twice.map { name in
        Terminal.text(zh: "列 \(name) 出现了不止一次", en: "column \(name) is there more than once")
      }
  }

  private static func text(unknown name: String, among known: [String]) -> String {
    let meant = Spelling.nearest(to: name, among: known).map {
      Terminal.text(zh: "是否应为 \($0)？", en: "did you mean \($0)? ")
    }
    return Terminal.text(
      zh: "没有“\(name)”这一列；\(meant ?? "")加上 --ignore \"\(name)\" 可跳过它",
      en: "column \"\(name)\" is unknown; \(meant ?? "")--ignore \"\(name)\" passes it over")
  }

  private static func text(cells: Int, row: Int, header: Int) -> String {
    Terminal.text(
      zh: "第 \(row) 行有 \(cells) 格，表头有 \(header) 格；内容含分隔符的格须加双引号",
      en: "row \(row) has \(cells) cells, and the header \(header); "
        + "a cell with a separator in it needs quotation marks around it")
  }

  private static func text(_ faults: [String], of name: String) -> String {
    let rest = faults.count - faultsMax
    return
      (faults.prefix(faultsMax).map { "\(name): \($0)" }
      + (rest > 0
        ? [Terminal.text(zh: "\(name)：还有 \(rest) 处", en: "\(name): and \(rest) more like these")]
        : []))
      .joined(separator: "\n")
  }

  private static func text(_ fault: CSVText.Fault) -> String {
    switch fault {
    case .unclosedQuote(let row):
      Terminal.text(
        zh: "第 \(row) 行：有一格以双引号开头，却没有以双引号结尾",
        en: "row \(row): a quotation mark opens a cell, and none closes it")
    case .strayQuote(let row):
      Terminal.text(
        zh: "第 \(row) 行：内容含双引号的格，须整格加双引号，其中的双引号写两遍",
        en: "row \(row): a cell with a quotation mark in it needs marks around it, and \"\" inside")
    }
  }

  /// Returns what the file calls a column; nil where it has none of that name.
  func heading(of name: String) -> String? {
    let heading = columns.first { $0.name == name }?.heading
    return header.first { $0 == name || $0 == heading }
  }

  /// Returns the items of a cell that are separated by `;`.
  static func items(_ cell: String?) -> [String] {
    (cell ?? "").split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }

  /// Quotes a cell as in RFC 4180. A leading sign is escaped, as a spreadsheet would take it for a
  /// formula.
  static func cell(_ text: String) -> String {
    let text = text.first.map { "=+-@".contains($0) } == true ? "'\(text)" : text
    let special = "\",;\t\n\r".unicodeScalars
    guard text.unicodeScalars.contains(where: { special.contains($0) }) else { return text }
    return "\"\(text.replacing("\"", with: "\"\""))\""
  }
}
