internal import GRDB
internal import GRDBSQLite
internal import Storage

/// One open connection, confined to the thread that holds it: rows and counts in, the module's own
/// errors out. Statements are compiled once and kept.
final class SQLiteConnection {
  /// Statements kept: a service has some dozens; filters that are put together make more.
  private static let statementLimit = 512

  private let database: GRDB.Database
  /// Valid as long as `database` is: inside the access that this connection lives in.
  private let handle: OpaquePointer
  private var statements: [String: SQLiteStatement] = [:]
  /// Set once an error showed that the file or the disk can't be trusted any more.
  private(set) var failure: StorageError?

  /// - Throws: `StorageError.closed` when the database is.
  init(_ database: GRDB.Database) throws(StorageError) {
    guard let handle = database.sqliteConnection else { throw .closed }
    self.database = database
    self.handle = handle
  }

  /// The rows of a SELECT, at most `Limits.rowsPerQuery`.
  func rows(_ sql: String, _ arguments: [SQLValue]) throws(StorageError) -> [Storage.Row] {
    do {
      return try statement(sql).rows(arguments)
    } catch {
      throw noted(error)
    }
  }

  /// Reads queries one after the other.
  func read(_ queries: [AnyQuery]) throws -> ReadResults {
    var results: [ReadResult] = []
    results.reserveCapacity(queries.count)
    for query in queries {
      results.append(try query.decode(try rows(query.sql, query.arguments)))
    }
    return ReadResults(results)
  }

  /// Runs one statement.
  ///
  /// - Returns: how many rows it touched, where it is an INSERT, UPDATE or DELETE.
  @discardableResult
  func run(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> Int {
    do {
      try statement(sql).run(arguments)
      return Int(sqlite3_changes(handle))
    } catch {
      throw noted(error)
    }
  }

  /// Runs a text of several statements.
  func runScript(_ sql: String) throws(StorageError) {
    do {
      try database.execute(sql: sql)
    } catch {
      throw noted(StorageError(sqlite: error))
    }
  }

  /// False too after an error that made SQLite roll back by itself.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Leaves whatever transaction there is.
  func rollBack() {
    if isInTransaction { _ = try? run("ROLLBACK") }
  }

  private func statement(_ sql: String) throws(StorageError) -> SQLiteStatement {
    if let statement = statements[sql] { return statement }
    if statements.count == SQLiteConnection.statementLimit { statements = [:] }
    let statement = try SQLiteStatement(sql, on: handle)
    statements[sql] = statement
    return statement
  }

  private func noted(_ error: StorageError) -> StorageError {
    switch error {
    case .io, .corrupt: failure = error
    default: break
    }
    return error
  }
}
