internal import Foundation

/// Moves a whole store from SQLite to another engine, including the engine-owned tables: audit
/// chains and feed positions continue, and consumers' cursors stay valid.
///
/// This process opens both stores, so that no service writes to the source meanwhile. The target
/// must have the same migrations and no rows. Rows are read in key order and written in commits of
/// some hundred rows; an interrupted move is repeated with a new target.
///
/// Referenced tables are moved first. A foreign key that no order of the tables satisfies, such as
/// that of a tree's parents, is dropped before the move and added afterwards, which checks it for
/// every row. A target into which a move did not finish is therefore refused even if it has no
/// rows: nothing in it tells which of its keys are missing.
public struct StoreMove: Sendable {
  /// The number of rows per statement: PostgreSQL is limited to 65,535 arguments.
  private static let rowsPerCommit = 500
  /// The tables that are not copied: the target has its own list of applied migrations.
  fileprivate static let keptTables: Set = ["storage_migration"]

  /// The time of a move's commits, which contain nothing that is dated by it.
  private let epoch = Date(timeIntervalSince1970: 0)
  private let source: any Database
  private let target: any Database

  /// Creates a move between two open stores.
  public init(from source: any Database, to target: any Database) {
    self.source = source
    self.target = target
  }

  /// The number of rows moved of one table.
  public struct Moved: Sendable, Hashable {
    /// The name of the table.
    public let table: String
    /// The number of rows.
    public let rows: Int
  }

  /// Moves all tables, then compares row counts, audit chains and feed ends.
  ///
  /// - Parameter progress: Called with the table, its rows moved so far, and its rows in all.
  /// - Throws: `StoreMove.Refusal`; `StorageError`.
  public func run(
    progress: (_ table: String, _ done: Int, _ total: Int) async throws -> Void
  ) async throws -> [Moved] {
    guard source.dialect == .sqlite else { throw Refusal("the source is not SQLite") }
    try await checkSchemas()
    let tables = try await MovedTable.all(
      in: source, cyclesMove: target.dialect == .postgres)
    guard try await !target.read(StorageSchema.isMoving) else {
      throw Refusal("a move into the target did not finish: drop its schema and make it again")
    }
    for table in tables where table.name != "storage_meta" {
      guard try await target.read(Self.count(table.name)) == 0 else {
        throw Refusal(
          "the target has rows already, in \(table.name): drop its schema and make it again "
            + "(--migrate), before any service starts on it")
      }
    }
    let sourceReport = try await source.verifyAudit()
    guard sourceReport.isIntact else { throw Refusal("audit log: \(sourceReport.summary)") }
    let foreignKeys = try await foreignKeysAgainstOrder(of: tables)
    // One commit: a target whose keys are dropped is marked.
    _ = try await target.alter([Self.begin] + foreignKeys.map(\.drop), then: [])
    try await makeMonths()
    var moved: [Moved] = []
    for table in tables {
      moved.append(Moved(table: table.name, rows: try await move(table, progress)))
    }
    // Both read whole tables, which may take longer than the engine lets a statement take.
    let counts = try await target.alter(
      foreignKeys.map(\.add), then: moved.map { AnyQuery(Self.count($0.table)) })
    try await verify(moved, counts, sourceReport)
    _ = try await target.alter([Self.end], then: [])
    return moved
  }

  /// Marks the target as incomplete, so that no service opens it before the move has finished.
  private static let begin = Statement(
    "INSERT INTO storage_meta (name, value) VALUES ('moving', 1) ON CONFLICT (name) DO NOTHING")
  private static let end = Statement("DELETE FROM storage_meta WHERE name = 'moving'")

  /// Creates the monthly partitions first, because rows would otherwise stay in the default
  /// partition for good.
  private func makeMonths() async throws {
    guard target.dialect == .postgres else { return }
    for table in try await target.read(MonthlySQL.tables) {
      for month in try await source.read(MonthlySQL.months(in: table)) {
        try await target.makeMonth(month, of: table, at: epoch)
      }
    }
  }

  /// Returns the foreign keys of the target that refer to the table itself or to one moved later.
  private func foreignKeysAgainstOrder(of tables: [MovedTable]) async throws -> [ForeignKey] {
    guard target.dialect == .postgres else { return [] }
    let places = Dictionary(
      uniqueKeysWithValues: tables.enumerated().map { ($0.element.name, $0.offset) })
    return try await target.read(ForeignKey.all).filter { key in
      guard let table = places[key.table], let referenced = places[key.referenced] else {
        return false
      }
      return referenced >= table
    }
  }

  private func checkSchemas() async throws {
    for component in [StorageSchema.Component.storage, .service] {
      let query = StorageSchema.applied(component)
      guard try await source.read(query) == target.read(query) else {
        throw Refusal(
          "the stores have different migrations: run the service with --migrate on both")
      }
    }
  }

  private func move(
    _ table: MovedTable, _ progress: (String, Int, Int) async throws -> Void
  ) async throws -> Int {
    let total = try await source.read(Self.count(table.name))
    var after: [SQLValue]?
    var done = 0
    while true {
      let page = try await source.read(table.page(after: after, limit: Self.rowsPerCommit))
      guard let last = page.last else { return done }
      var commit = Commit(at: epoch)
      commit.run(table.insert(page))
      try await target.write(commit)
      done += page.count
      try await progress(table.name, done, total)
      after = Array(last.suffix(table.order.count))
    }
  }

  private static func count(_ table: String) -> Query<Int> {
    .one("SELECT count(*) AS n FROM \(table)") { try $0.int("n") }
  }

  /// - Parameter counts: The numbers of rows in the target, by index in `moved`.
  private func verify(
    _ moved: [Moved], _ counts: ReadResults, _ sourceReport: AuditReport
  ) async throws {
    for (index, table) in moved.enumerated() where table.table != "storage_meta" {
      let count = counts.value(index, of: Self.count(table.table))
      guard count == table.rows else {
        throw Refusal("\(table.table): \(count) of \(table.rows) rows arrived")
      }
    }
    let report = try await target.verifyAudit(anchors: sourceReport.heads)
    guard report.isIntact, report.rows == sourceReport.rows else {
      throw Refusal("audit log after the move: \(report.summary)")
    }
    guard try await source.feedEnd() == target.feedEnd() else {
      throw Refusal("the feed ends elsewhere after the move")
    }
  }

  /// The reason why a store can't be moved.
  public struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
      self.description = description
    }
  }
}

/// A foreign key of PostgreSQL.
private struct ForeignKey: Sendable {
  let table: String
  let referenced: String
  let drop: Statement
  /// Replaces one that is there already, because its commit may have been stored unnoticed.
  let add: Statement

  /// The foreign keys of the store, without those that partitions have from their table.
  static let all = Query<[ForeignKey]>.all(
    """
    SELECT c.conname AS name, t.relname AS table_name, r.relname AS referenced,
           pg_get_constraintdef(c.oid) AS definition
    FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
      JOIN pg_class AS r ON r.oid = c.confrelid
    WHERE c.contype = 'f' AND c.conparentid = 0
      AND c.connamespace = to_regnamespace(current_schema())
    ORDER BY t.relname, c.conname
    """
  ) { row in
    let (table, name) = (try row.text("table_name"), try row.text("name"))
    let drop = "ALTER TABLE \"\(table)\" DROP CONSTRAINT IF EXISTS \"\(name)\""
    let definition = try row.text("definition")
    return ForeignKey(
      table: table, referenced: try row.text("referenced"), drop: Statement(drop),
      add: Statement("\(drop), ADD CONSTRAINT \"\(name)\" \(definition)"))
  }
}

/// A table as described by SQLite.
private struct MovedTable: Sendable {
  let name: String
  let columns: [String]
  /// The columns that order its rows uniquely: the rowid, or the primary key of a table without
  /// one.
  let order: [String]

  /// Returns every table, referenced tables before those that refer to them, as far as there is
  /// such an order.
  ///
  /// - Parameter cyclesMove: Whether tables that refer to each other in a cycle can be moved.
  /// - Throws: `StoreMove.Refusal` if there are such tables and they can't.
  static func all(
    in database: any Database, cyclesMove: Bool
  ) async throws -> [MovedTable] {
    let names = try await database.read(
      Query<[(name: String, hasRowID: Bool)]>.all(
        """
        SELECT name, wr FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name
        """
      ) { (try $0.text("name"), try $0.integer("wr") == 0) })
    var tables: [MovedTable] = []
    var waiting: [(table: MovedTable, needs: Set<String>)] = []
    for (name, hasRowID) in names where !StoreMove.keptTables.contains(name) {
      let (columns, keys, needs) = try await database.read(
        texts("SELECT name FROM pragma_table_info(?1) ORDER BY cid", name),
        texts("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk", name),
        texts("SELECT \"table\" AS name FROM pragma_foreign_key_list(?1)", name))
      let table = MovedTable(name: name, columns: columns, order: hasRowID ? ["rowid"] : keys)
      waiting.append((table, Set(needs).subtracting([name])))
    }
    while !waiting.isEmpty {
      let next = waiting.firstIndex { $0.needs.isSubset(of: tables.map(\.name)) }
      guard next != nil || cyclesMove else {
        let names = waiting.map(\.table.name).joined(separator: ", ")
        throw StoreMove.Refusal("tables refer to each other in a cycle: \(names)")
      }
      tables.append(waiting.remove(at: next ?? 0).table)
    }
    return tables
  }

  private static func texts(_ sql: String, _ table: String) -> Query<[String]> {
    .all(sql, [table]) { try $0.text("name") }
  }

  /// Returns the rows after a key: the columns, then the key.
  func page(after place: [SQLValue]?, limit: Int) -> Query<[[SQLValue]]> {
    let list = columns.map { "\"\($0)\"" }.joined(separator: ", ")
    let keys = order.map { "\"\($0)\"" }.joined(separator: ", ")
    let places = order.indices.map { "?\($0 + 2)" }.joined(separator: ", ")
    let aliases = order.indices.map { "\"\(order[$0])\" AS place_\($0)" }.joined(separator: ", ")
    return .all(
      """
      SELECT \(list), \(aliases) FROM "\(name)"
      \(place == nil ? "" : "WHERE (\(keys)) > (\(places))")
      ORDER BY \(keys) LIMIT ?1
      """, [limit] + (place ?? [])
    ) { $0.values }
  }

  func insert(_ rows: [[SQLValue]]) -> Statement {
    let places = rows.indices.map { row in
      "("
        + columns.indices.map { "?\(row * columns.count + $0 + 1)" }.joined(separator: ", ") + ")"
    }
    let list = columns.map { "\"\($0)\"" }.joined(separator: ", ")
    // The target already has an epoch of its own, which the source's replaces.
    let replacing =
      name == "storage_meta" ? "ON CONFLICT (name) DO UPDATE SET value = excluded.value" : ""
    return Statement(
      """
      INSERT INTO "\(name)" (\(list)) VALUES \(places.joined(separator: ", ")) \(replacing)
      """, rows.flatMap { $0.prefix(columns.count) }, expects: .exactly(rows.count))
  }
}
