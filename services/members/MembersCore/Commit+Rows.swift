import Storage

extension Commit {
  /// The maximum number of rows per statement: PostgreSQL allows 65,535 arguments, SQLite 32,766.
  static let rowsPerStatement = 250

  /// Inserts many rows, in statements of at most `rowsPerStatement` rows each.
  mutating func insert(
    into table: String, _ columns: [String], _ rows: [[any SQLValueConvertible]]
  ) {
    for start in stride(from: 0, to: rows.count, by: Self.rowsPerStatement) {
      let part = Array(rows[start..<min(start + Self.rowsPerStatement, rows.count)])
      run(
        """
        INSERT INTO \(table) (\(columns.joined(separator: ", ")))
        VALUES \(Self.places(rows: part.count, columns: columns.count))
        """, part.flatMap { $0 }, expects: .exactly(part.count))
    }
  }

  /// Returns parameter lists such as `(?1, ?2), (?3, ?4)`, numbered from `count + 1`.
  static func places(rows: Int, columns: Int, after count: Int = 0) -> String {
    (0..<rows).map { row in
      let first = count + row * columns
      return "(" + (1...columns).map { "?\(first + $0)" }.joined(separator: ", ") + ")"
    }.joined(separator: ", ")
  }
}

/// A multi-row INSERT into one table, with its text composed once.
struct RowInsert: Sendable {
  private let head: String
  private let columns: Int
  /// The text for `rowsPerStatement` rows.
  private let full: String

  init(into table: String, _ columns: [String]) {
    head = "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES "
    self.columns = columns.count
    full = head + Commit.places(rows: Commit.rowsPerStatement, columns: columns.count)
  }

  /// Inserts rows, whose values are given consecutively.
  func add(_ values: [SQLValue], to commit: inout Commit) {
    let most = Commit.rowsPerStatement * columns
    for start in stride(from: 0, to: values.count, by: most) {
      let part = Array(values[start..<min(start + most, values.count)])
      let rows = part.count / columns
      let sql =
        part.count == most ? full : head + Commit.places(rows: rows, columns: columns)
      commit.run(sql, part, expects: .exactly(rows))
    }
  }
}
