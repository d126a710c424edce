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
  private let log = LogLength()

  /// Pages of the log from which on it is moved into the file: 16 MB, some 20 ms of work. With
  /// SQLite's own 1,000 every other commit of a busy service would do it, and the pages that all of
  /// them change (the ends of tables) would be written each time.
  private static let logPagesMax: Int32 = 4_000

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

  /// Rows that were changed so far; a statement that fails counts none.
  var changes: Int64 { sqlite3_total_changes64(handle) }

  /// False too after an error that made SQLite roll back by itself.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Takes the moving of the log into the file away from COMMIT, which would hide its errors: see
  /// `moveLog`.
  func keepLog() {
    // The hook's argument is owned by this object, which outlives the connection's last commit.
    let argument = Unmanaged.passUnretained(log).toOpaque()
    _ = sqlite3_wal_hook(
      handle,
      { argument, _, _, pages in
        if let argument {
          Unmanaged<LogLength>.fromOpaque(argument).takeUnretainedValue().pages = pages
        }
        return SQLITE_OK
      }, argument)
  }

  /// Moves a log that has grown long into the file, as far as readers let it; a full disk waits for
  /// room.
  ///
  /// - Throws: `StorageError.io`, `.corrupt`: what the file holds is not known any more.
  func moveLog() throws(StorageError) {
    guard log.pages >= Self.logPagesMax else { return }
    log.pages = 0
    switch sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil) & 0xff {
    case SQLITE_OK, SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL: return
    default: throw noted(StorageError(sqlite: handle, sql: "(checkpoint)"))
    }
  }

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

/// How long the log was after the last commit. Confined to the connection's thread.
private final class LogLength {
  var pages: Int32 = 0
}
