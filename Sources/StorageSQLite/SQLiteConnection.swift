internal import GRDB
internal import GRDBSQLite
internal import Storage

/// An open connection with a cache of prepared statements, which maps SQLite's errors to
/// `StorageError`. Confined to the thread that holds it.
final class SQLiteConnection {
  /// The maximum number of prepared statements: a service has some dozens; dynamically composed
  /// filters add more.
  private static let statementLimit = 512

  private let database: GRDB.Database
  /// The SQLite handle, valid as long as `database` is: during the access in which this connection
  /// is used.
  private let handle: OpaquePointer
  private var statements: [String: SQLiteStatement] = [:]
  /// Set by an error after which the file or the disk can't be trusted.
  private(set) var failure: StorageError?
  private let log = LogLength()
  private let bytes = ArgumentBytes()

  /// The WAL size in pages from which it is checkpointed: 16 MB, about 20 ms of work. With SQLite's
  /// default of 1,000, every other commit of a busy service would checkpoint, and pages changed by
  /// every commit (the ends of tables) would be written each time.
  private static let logPagesMax: Int32 = 4_000

  /// - Throws: `StorageError.closed` if the database is closed.
  init(_ database: GRDB.Database) throws(StorageError) {
    guard let handle = database.sqliteConnection else { throw .closed }
    self.database = database
    self.handle = handle
  }

  /// Returns the rows of a SELECT, at most `Limits.rowsPerQuery`.
  func rows(_ sql: String, _ arguments: [SQLValue]) throws(StorageError) -> [Storage.Row] {
    do {
      return try statement(sql).rows(arguments)
    } catch {
      throw noted(error)
    }
  }

  /// Executes queries in order.
  func read(_ queries: [AnyQuery]) throws -> ReadResults {
    var results: [ReadResult] = []
    results.reserveCapacity(queries.count)
    for query in queries {
      results.append(try query.decode(try rows(query.sql, query.arguments)))
    }
    return ReadResults(results)
  }

  /// Executes one statement.
  ///
  /// - Returns: The number of affected rows of an INSERT, UPDATE or DELETE.
  @discardableResult
  func run(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> Int {
    do {
      try statement(sql).run(arguments)
      return Int(sqlite3_changes(handle))
    } catch {
      throw noted(error)
    }
  }

  /// Executes a text of several statements.
  func runScript(_ sql: String) throws(StorageError) {
    do {
      try database.execute(sql: sql)
    } catch {
      throw noted(StorageError(sqlite: error))
    }
  }

  /// The total number of rows changed so far; failed statements don't count.
  var changes: Int64 { sqlite3_total_changes64(handle) }

  /// Whether a transaction is open; false also after an error that made SQLite roll back.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Disables SQLite's automatic checkpoint after COMMIT, which would hide its errors: see
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

  /// Checkpoints a WAL that has grown long, as far as readers allow. A checkpoint that fails
  /// because the disk is full is retried later.
  ///
  /// - Throws: `StorageError.io`, `.corrupt`: the state of the file is unknown.
  func moveLog() throws(StorageError) {
    guard log.pages >= Self.logPagesMax else { return }
    log.pages = 0
    switch sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil) & 0xff {
    case SQLITE_OK, SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL: return
    default: throw noted(StorageError(sqlite: handle, sql: "(checkpoint)"))
    }
  }

  /// Rolls back the open transaction, if any.
  func rollBack() {
    if isInTransaction { _ = try? run("ROLLBACK") }
  }

  private func statement(_ sql: String) throws(StorageError) -> SQLiteStatement {
    if let statement = statements[sql] { return statement }
    if statements.count == SQLiteConnection.statementLimit { statements = [:] }
    let statement = try SQLiteStatement(sql, on: handle, bytes: bytes)
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

/// The WAL size after the last commit. Confined to the connection's thread.
private final class LogLength {
  var pages: Int32 = 0
}
