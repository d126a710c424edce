public import Foundation

/// A table that only grows: by month on PostgreSQL, so that what is old goes as a whole.
///
/// There it is `PARTITION BY RANGE` of a column of microseconds, with a part `NAME_default` for
/// what no month takes. SQLite has it in one piece.
public struct MonthlyTable: Sendable, Hashable {
  /// Months that are made ahead: a service that is up at all makes them in time.
  static let monthsAhead = 3

  public let name: String
  public let column: String
  /// Full months that are kept beside the current one; `nil`: all.
  public var monthsKept: Int?

  public init(_ name: String, by column: String, monthsKept: Int? = nil) {
    self.name = name
    self.column = column
    self.monthsKept = monthsKept
  }
}

/// A month of the Gregorian calendar, in UTC.
struct CalendarMonth: Sendable, Hashable {
  /// Months since year 0.
  let number: Int

  private static let calendar: Calendar = {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    return calendar
  }()

  init(number: Int) {
    self.number = number
  }

  init(of instant: Date) {
    let parts = Self.calendar.dateComponents([.year, .month], from: instant)
    number = (parts.year ?? 0) * 12 + (parts.month ?? 1) - 1
  }

  /// Reads `…_2026_11`.
  init?(suffixOf name: String) {
    let parts = name.split(separator: "_").suffix(2).compactMap { Int($0) }
    guard parts.count == 2, (1...12).contains(parts[1]) else { return nil }
    number = parts[0] * 12 + parts[1] - 1
  }

  /// E.g. `2026_11`.
  var suffix: String {
    let month = number % 12 + 1
    return "\(number / 12)_\(month < 10 ? "0" : "")\(month)"
  }

  /// Its first instant, in microseconds since 1970.
  var start: Int64 {
    let parts = DateComponents(year: number / 12, month: number % 12 + 1, day: 1)
    return (Self.calendar.date(from: parts) ?? Date(timeIntervalSince1970: 0))
      .microsecondsSince1970
  }

  func adding(_ months: Int) -> CalendarMonth { CalendarMonth(number: number + months) }
}

extension Database {
  /// Makes the parts of the months to come, and drops those that are no longer kept (rows in small
  /// commits on SQLite).
  ///
  /// - Returns: parts dropped (rows on SQLite).
  public func keepMonths(of table: MonthlyTable, at now: Date) async throws -> Int {
    let current = CalendarMonth(of: now)
    let first = table.monthsKept.map { current.adding(-$0) }
    guard dialect == .postgres else {
      guard let first else { return 0 }
      return try await deleteRows(of: table, before: first.start, at: now)
    }
    return try await write { MonthlySQL.keep(table, current: current, first: first, at: now) }
  }

  private func deleteRows(
    of table: MonthlyTable, before start: Int64, at now: Date
  ) async throws -> Int {
    var deleted = 0
    while true {
      let count = try await write { MonthlySQL.delete(table, before: start, at: now) }
      deleted += count
      if count < Limits.rowsPerPurge { return deleted }
    }
  }
}

/// The statements of parts by month.
enum MonthlySQL {
  static func keep(
    _ table: MonthlyTable, current: CalendarMonth, first: CalendarMonth?, at now: Date
  ) -> Step<Int> {
    let parts = Query<[String]>.all(
      """
      SELECT c.relname AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass(?1)
      """, [table.name]
    ) { try $0.text("name") }
    return .read(parts) { parts in
      var commit = Commit(at: now)
      for ahead in 0...MonthlyTable.monthsAhead {
        let month = current.adding(ahead)
        let part = "\(table.name)_\(month.suffix)"
        if !parts.contains(part) { make(part, of: table, month, into: &commit) }
      }
      let old = parts.filter { part in
        guard let first, let month = CalendarMonth(suffixOf: part) else { return false }
        return month.number < first.number
      }
      for part in old { commit.run("DROP TABLE \(part)") }
      if commit.statements.isEmpty { return .reply(0) }
      return .commit(commit, old.count)
    }
  }

  /// Rows that came before their month was made move over from the default part.
  private static func make(
    _ part: String, of table: MonthlyTable, _ month: CalendarMonth, into commit: inout Commit
  ) {
    let (start, end) = (month.start, month.adding(1).start)
    commit.run("CREATE TABLE \(part) (LIKE \(table.name) INCLUDING ALL)")
    commit.run(
      """
      WITH moved AS (
        DELETE FROM \(table.name)_default
        WHERE \(table.column) >= \(start) AND \(table.column) < \(end) RETURNING *)
      INSERT INTO \(part) SELECT * FROM moved
      """)
    commit.run(
      """
      ALTER TABLE \(table.name) ATTACH PARTITION \(part) FOR VALUES FROM (\(start)) TO (\(end))
      """)
  }

  static func delete(_ table: MonthlyTable, before start: Int64, at now: Date) -> Step<Int> {
    let old = Query<[Int64]>.all(
      """
      SELECT rowid AS row FROM \(table.name) WHERE \(table.column) < ?1 ORDER BY rowid LIMIT ?2
      """, [start, Limits.rowsPerPurge]
    ) { try $0.integer("row") }
    return .read(old) { rows in
      if rows.isEmpty { return .reply(0) }
      var commit = Commit(at: now)
      for row in rows { commit.run("DELETE FROM \(table.name) WHERE rowid = ?1", [row]) }
      return .commit(commit, rows.count)
    }
  }
}
