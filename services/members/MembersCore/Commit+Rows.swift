import Storage

extension Commit {
  /// Rows of one statement: PostgreSQL takes 65,535 arguments, SQLite 32,766.
  static let rowsPerStatement = 250

  /// Inserts many rows, a statement for each so many.
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

  /// `(?1, ?2), (?3, ?4)`: places for rows, counted on from the arguments before them.
  static func places(rows: Int, columns: Int, after count: Int = 0) -> String {
    (0..<rows).map { row in
      let first = count + row * columns
      return "(" + (1...columns).map { "?\(first + $0)" }.joined(separator: ", ") + ")"
    }.joined(separator: ", ")
  }
}

/// Inserts into one table, many a statement, whose text is made once.
struct RowInsert: Sendable {
  private let head: String
  private let columns: Int
  /// Of as many rows as a statement takes.
  private let full: String

  init(into table: String, _ columns: [String]) {
    head = "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES "
    self.columns = columns.count
    full = head + Commit.places(rows: Commit.rowsPerStatement, columns: columns.count)
  }

  /// Adds rows, one after the other.
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
