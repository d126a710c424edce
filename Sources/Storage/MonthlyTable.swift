public import Foundation

/// An append-only table. On PostgreSQL it is partitioned by month, so that expired months are
/// dropped as whole partitions.
///
/// There it is `PARTITION BY RANGE` of a column of microseconds, with a default partition
/// `NAME_default`. On SQLite it is one table.
public struct MonthlyTable: Sendable, Hashable {
  /// The number of months whose partitions are created ahead of time.
  static let monthsAhead = 3

  /// The name of the table.
  public let name: String
  /// The column of microseconds by which the table is partitioned.
  public let column: String
  /// The number of full months kept besides the current one; `nil` for all.
  public var monthsKept: Int?

  /// Creates the description of a table that a migration has made.
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

  init(number: Int) {
    self.number = number
  }

  init(of instant: Date) {
    let date = CivilDate(of: instant)
    number = date.year * 12 + date.month - 1
  }

  /// Parses the suffix of a partition's name, `…_2026_11`.
  init?(suffixOf name: String) {
    let parts = name.split(separator: "_").suffix(2).compactMap { Int($0) }
    guard parts.count == 2, (1...12).contains(parts[1]) else { return nil }
    number = parts[0] * 12 + parts[1] - 1
  }

  /// The suffix of a partition's name, e.g. `2026_11`.
  var suffix: String {
    let month = number % 12 + 1
    return "\(number / 12)_\(month < 10 ? "0" : "")\(month)"
  }

  /// The first instant of the month, in microseconds since 1970.
  var start: Int64 {
    let date = CivilDate(year: number / 12, month: number % 12 + 1, day: 1)
    return Int64(date?.daysSinceEpoch ?? 0) * 86_400_000_000
  }

  func adding(_ months: Int) -> CalendarMonth { CalendarMonth(number: number + months) }
}

extension Database {
  /// Creates the partitions of the months to come and drops expired ones. Expired rows outside a
  /// partition of their month (PostgreSQL's default partition, SQLite) are deleted in small
  /// commits.
  ///
  /// - Parameters:
  ///   - now: The instant from which the months to come are counted.
  ///   - past: The instant from which the kept months are counted back: see
  ///     `forgettingInstant(at:)`.
  /// - Returns: The number of dropped partitions and deleted rows.
  /// - Throws: `StorageError.busy` if the table is locked by another session, or if the default
  ///   partition holds too many rows of a month to move them at once.
  public func keepMonths(
    of table: MonthlyTable, at now: Date, past: Date? = nil
  ) async throws -> Int {
    let first = table.monthsKept.map { CalendarMonth(of: past ?? now).adding(-$0) }
    guard dialect == .postgres else {
      guard let first else { return 0 }
      return try await deleteRows(of: table, before: first.start, at: now)
    }
    // The rows of a month without a partition are in the default partition, and expire there.
    var failure: (any Error)?
    do {
      let current = CalendarMonth(of: now)
      for ahead in 0...MonthlyTable.monthsAhead {
        try await makeMonth(current.adding(ahead), of: table, at: now)
      }
    } catch {
      failure = error
    }
    var forgotten = 0
    if let first {
      forgotten = try await deleteRows(of: table, before: first.start, at: now)
      for part in try await read(MonthlySQL.parts(of: table)) {
        guard let month = CalendarMonth(suffixOf: part), month.number < first.number else {
          continue
        }
        try await write(MonthlySQL.drop(part, at: now))
        forgotten += 1
      }
    }
    if let failure { throw failure }
    return forgotten
  }

  /// Creates the partition of a month if it does not exist.
  func makeMonth(_ month: CalendarMonth, of table: MonthlyTable, at now: Date) async throws {
    try await write { MonthlySQL.make(month, of: table, at: now) }
  }

  private func deleteRows(
    of table: MonthlyTable, before start: Int64, at now: Date
  ) async throws -> Int {
    let isParted = dialect == .postgres
    var deleted = 0
    while true {
      let count = try await write {
        isParted
          ? MonthlySQL.deleteStrays(of: table, before: start, at: now)
          : MonthlySQL.delete(table, before: start, at: now)
      }
      deleted += count
      if count < Limits.rowsPerPurge { return deleted }
    }
  }
}

/// The queries and statements on monthly partitions.
enum MonthlySQL {
  static func parts(of table: MonthlyTable) -> Query<[String]> {
    .all(
      """
      SELECT c.relname AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass(?1) ORDER BY c.relname
      """, [table.name]
    ) { try $0.text("name") }
  }

  /// The tables that are partitioned by range and have a default partition, with the partition
  /// column.
  static let tables = Query<[MonthlyTable]>.all(
    """
    SELECT c.relname AS name, a.attname AS column_name
    FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = p.partrelid
      JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partstrat = 'r' AND p.partdefid <> 0
      AND c.relnamespace = to_regnamespace(current_schema()) ORDER BY c.relname
    """
  ) { MonthlyTable(try $0.text("name"), by: try $0.text("column_name")) }

  /// The months of the rows of a table in SQLite.
  static func months(in table: MonthlyTable) -> Query<[CalendarMonth]> {
    let time = "\(table.column) / 1000000, 'unixepoch'"
    return .all(
      """
      SELECT DISTINCT CAST(strftime('%Y', \(time)) AS INTEGER) * 12
        + CAST(strftime('%m', \(time)) AS INTEGER) - 1 AS month
      FROM \(table.name) ORDER BY month
      """
    ) { CalendarMonth(number: try $0.int("month")) }
  }

  /// Creates the partition of a month and moves its rows there from the default partition.
  static func make(_ month: CalendarMonth, of table: MonthlyTable, at now: Date) -> Step<Void> {
    .read(parts(of: table)) { parts in
      let part = "\(table.name)_\(month.suffix)"
      if parts.contains(part) { return .reply(()) }
      let (start, end) = (month.start, month.adding(1).start)
      var commit = Commit(at: now)
      commit.bound()
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
      return .commit(commit, ())
    }
  }

  static func drop(_ part: String, at now: Date) -> Commit {
    var commit = Commit(at: now)
    commit.bound()
    // Another replica may have dropped it already.
    commit.run("DROP TABLE IF EXISTS \(part)")
    return commit
  }

  /// Deletes expired rows of the default partition.
  static func deleteStrays(
    of table: MonthlyTable, before start: Int64, at now: Date
  ) -> Step<Int> {
    let stray = """
      FROM \(table.name)_default WHERE \(table.column) < ?1 LIMIT \(Limits.rowsPerPurge)
      """
    let old = Query<Int>.one("SELECT count(*) AS n FROM (SELECT 1 \(stray)) AS old", [start]) {
      try $0.int("n")
    }
    return .read(old) { count in
      if count == 0 { return .reply(0) }
      var commit = Commit(at: now)
      commit.run(
        "DELETE FROM \(table.name)_default WHERE ctid IN (SELECT ctid \(stray))", [start])
      return .commit(commit, count)
    }
  }

  /// Deletes rows in insertion order up to the first unexpired one, because no index is on the
  /// time.
  static func delete(_ table: MonthlyTable, before start: Int64, at now: Date) -> Step<Int> {
    let oldest = Query<[(row: Int64, time: Int64)]>.all(
      "SELECT rowid AS row, \(table.column) AS time FROM \(table.name) ORDER BY rowid LIMIT ?1",
      [Limits.rowsPerPurge]
    ) { (try $0.integer("row"), try $0.integer("time")) }
    return .read(oldest) { rows in
      let old = rows.prefix { $0.time < start }
      guard let last = old.last else { return .reply(0) }
      var commit = Commit(at: now)
      commit.run("DELETE FROM \(table.name) WHERE rowid <= ?1", [last.row])
      return .commit(commit, old.count)
    }
  }
}

extension Commit {
  /// Bounds the lock wait and the duration of a partition change: it waits for the readers of the
  /// table, and every other writer of the store waits for it. Upkeep repeats it an hour later.
  ///
  /// The row count guard makes the engine begin an explicit transaction, to which SET LOCAL then
  /// applies.
  fileprivate mutating func bound() {
    for limit in ["lock_timeout = '1s'", "statement_timeout = '5s'"] {
      run("SET LOCAL \(limit)", expects: .exactly(0))
    }
  }
}
