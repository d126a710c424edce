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
