import Foundation
import GoogleProtobuf
import GoogleType
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// Reads the cells of a row, and gathers what is wrong with those that no request could say.
struct RowReader {
  let row: CSVFile.Row
  private(set) var problems: [RefusedRow.Problem] = []

  init(_ row: CSVFile.Row) { self.row = row }

  func text(_ column: String) -> String { row.values[column] ?? "" }

  func value<Value: Enumeration>(_ column: String, of type: Value.Type) -> Value {
    enumValue(text(column), of: type)
  }

  mutating func flag(_ column: String) -> Bool {
    switch text(column).lowercased() {
    case "", "false", "no", "n", "0", "否": return false
    case "true", "yes", "y", "1", "是": return true
    default:
      report(
        column, "INVALID_VALUE", LocalizedText(zh: "应为 true 或 false、是或否。", en: "Say true or false.")
      )
      return false
    }
  }

  mutating func time(_ column: String) -> Timestamp? {
    guard !text(column).isEmpty else { return nil }
    if let date = try? Foundation.Date(text(column), strategy: .iso8601) {
      return Timestamp(microseconds: date.microseconds)
    }
    report(
      column, "INVALID_TIME",
      LocalizedText(
        zh: "应为带时区的时间，如 2025-11-24T09:30:00+08:00。",
        en: "Write a time with its zone, such as 2025-11-24T09:30:00+08:00."))
    return nil
  }

  mutating func date(_ column: String) -> GoogleType.Date? {
    guard !text(column).isEmpty else { return nil }
    let parts = text(column).split { $0 == "-" || $0 == "/" }.compactMap { Int($0) }
    if parts.count == 3, let day = ChinaDate(year: parts[0], month: parts[1], day: parts[2]) {
      return .with {
        ($0.year, $0.month, $0.day) = (Int32(day.year), Int32(day.month), Int32(day.day))
      }
    }
    report(
      column, "INVALID_DATE",
      LocalizedText(zh: "应为日期，如 2025-11-24。", en: "Write a day, such as 2025-11-24."))
    return nil
  }

  private mutating func report(_ column: String, _ reason: String, _ text: LocalizedText) {
    problems.append(
      RefusedRow.Problem(column: column, reason: reason, text: Terminal.text(text)))
  }
}

/// A row that was not taken.
struct RefusedRow: Sendable {
  struct Problem: Sendable, Equatable {
    /// Empty where it is about the whole row; else as the file calls it.
    let column: String
    let reason: String
    /// What to do about it, in the terminal's language.
    let text: String
  }

  /// As a spreadsheet counts rows.
  let number: Int
  let cells: [String]
  let problems: [Problem]

  /// What the reader and the service say of a row: of a column, the reader's word goes first.
  init(_ row: CSVFile.Row, of table: CSVFile, found: [Problem], error: RecordError?) {
    number = row.number
    cells = row.cells
    let told = (error?.fieldViolations ?? []).map { violation in
      let path = violation.field.prefix { $0 != "[" }
      let column = table.columns.first { $0.path == path }
      // A field of several columns, such as the consent.
      let parts = table.columns.filter { $0.path.hasPrefix("\(path).") }.map {
        table.heading(of: $0.name) ?? $0.name
      }
      return Problem(
        column: column?.name ?? (parts.isEmpty ? violation.field : parts.joined(separator: ", ")),
        reason: violation.reason,
        text: Self.allowed(column, row, violation) ?? violation.description_)
    }
    let fields = found + told.filter { one in !found.contains { $0.column == one.column } }
    problems =
      fields.isEmpty
      ? [Problem(column: "", reason: error?.reason ?? "", text: error?.message ?? "")]
      : fields.map { one in
        Problem(
          column: table.heading(of: one.column) ?? one.column, reason: one.reason, text: one.text)
      }
  }

  /// Names the values that a column may hold, where the row holds another one.
  private static func allowed(
    _ column: CSVColumn?, _ row: CSVFile.Row, _ violation: FieldViolation
  ) -> String? {
    guard let column, !column.values.isEmpty, violation.reason == "INVALID_VALUE" else {
      return nil
    }
    let names = column.values.joined(separator: ", ")
    return Terminal.text(LocalizedText(zh: "允许的取值：\(names)。", en: "Say one of \(names)."))
  }

  /// One line for each thing that is wrong.
  var lines: [String] {
    problems.map { problem in
      let column = problem.column
      return Terminal.text(
        zh: "第 \(number) 行\(column.isEmpty ? "" : "，\(column)")：\(problem.text)（\(problem.reason)）",
        en: "row \(number)\(column.isEmpty ? "" : ", \(column)"): \(problem.text) "
          + "(\(problem.reason))")
    }
  }
}

/// What became of the rows that were not taken.
enum RefusedRows {
  /// Ends a command that did its work, some rows excepted.
  static let status: Int32 = 2

  /// Shows the rows, and writes them to a file to mend where one is named.
  static func report(_ rows: [RefusedRow], of table: CSVFile, to file: String?) throws {
    guard !rows.isEmpty else { return }
    Terminal.say("Refused rows 被退回的行")
    Terminal.say(rows.flatMap(\.lines).joined(separator: "\n"))
    guard let file else { return }
    let names = table.header.filter { $0 != CSVFile.problemColumn } + [CSVFile.problemColumn]
    let problem = table.header.firstIndex(of: CSVFile.problemColumn)
    let lines = rows.map { row in
      var cells = row.cells
      if let problem { cells.remove(at: problem) }
      let told = row.problems.map {
        ($0.column.isEmpty ? "" : "\($0.column): ") + $0.text
      }
      return (cells + [told.joined(separator: " ")])
    }
    let text = ([names] + lines).map { $0.map(CSVFile.cell).joined(separator: ",") }
      .joined(separator: "\n")
    // With a byte order mark, by which spreadsheets know UTF-8. It holds people's data.
    try SecretFile.write(Data("\u{FEFF}\(text)\n".utf8), to: URL(filePath: file))
    Terminal.note(
      Terminal.text(
        zh: "\(file)：被退回的行，改正后可再次提交",
        en: "\(file): the refused rows, to mend and send again"))
  }
}
