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
  private let ending = Ending()
  private let bytes = ArgumentBytes()

  /// The number of pages by which the WAL grows between checkpoints: 16 MB, about 20 ms of work.
  /// With SQLite's default of 1,000, every other commit of a busy service would checkpoint, and
  /// pages changed by every commit (the ends of tables) would be written each time.
  private static let pagesPerCheckpoint: Int32 = 4_000
  /// The number of commits between checkpoints while single writes come one after the other: some
  /// 4 MB. A commit that makes the WAL file longer takes more than half as long again as one that
  /// overwrites it, because the file system has to store the new length, too.
  private static let commitsPerIdleCheckpoint = 512
  /// The WAL size in pages at which a checkpoint holds new reads for a moment. SQLite starts the
  /// WAL over only when it is copied whole and nobody reads from it, so that reads that overlap
  /// without a gap would let it grow for ever.
  private var pagesHoldingReads: Int32 = 0
  /// The WAL size in pages at which a checkpoint also ends the running reads. A copy of the store
  /// is not ended; while one is being made, reads are ended at each doubling of the WAL only.
  private var pagesEndingReads: Int32 { 4 * pagesHoldingReads }
  /// The number of virtual machine steps between two questions whether a statement is over: some
  /// ten microseconds.
  private static let stepsPerQuestion: Int32 = 1_000
  /// The WAL size in pages at the last checkpoint; 0 once the WAL was started over.
  private var pagesAtCheckpoint: Int32 = 0
  /// The number of commits since the last checkpoint.
  private var commits = 0
  /// The WAL size in pages at which running reads are ended next.
  private var nextEnding: Int32 = 0

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

  /// Lets the statements of `body` end early, with `StorageError.busy`, once `isOver` returns true,
  /// which is asked every `stepsPerQuestion` steps of SQLite's virtual machine.
  func endingEarly<Result>(
    when isOver: @escaping () -> Bool, _ body: () throws -> Result
  ) rethrows -> Result {
    ending.isOver = isOver
    // The handler's argument is owned by this object, which outlives the statements of `body`.
    sqlite3_progress_handler(
      handle, Self.stepsPerQuestion,
      { argument in
        guard let argument else { return 0 }
        return Unmanaged<Ending>.fromOpaque(argument).takeUnretainedValue().isOver() ? 1 : 0
      }, Unmanaged.passUnretained(ending).toOpaque())
    defer {
      sqlite3_progress_handler(handle, 0, nil, nil)
      ending.isOver = { false }
    }
    return try body()
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
  ///
  /// - Parameter pages: The WAL size in pages from which a checkpoint holds reads.
  func keepLog(pages: Int32) {
    pagesHoldingReads = pages
    nextEnding = pagesEndingReads
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

  /// Checkpoints a WAL that has grown long, as far as readers allow; holds them back if it has
  /// grown very long. A checkpoint that fails because the disk is full is retried later.
  ///
  /// - Parameter isIdle: Whether nobody waits for the writer, so that it may checkpoint earlier.
  /// - Throws: `StorageError.io`, `.corrupt`: the state of the file is unknown.
  func moveLog(holding reads: ReadGate, isIdle: Bool) throws(StorageError) {
    let pages = log.pages
    if pages < pagesAtCheckpoint {
      pagesAtCheckpoint = 0
      nextEnding = pagesEndingReads
    }
    commits += 1
    let isLong = pages - pagesAtCheckpoint >= Self.pagesPerCheckpoint
    guard isLong || (isIdle && commits >= Self.commitsPerIdleCheckpoint) else { return }
    (pagesAtCheckpoint, commits) = (pages, 0)
    let endsReads = pages >= nextEnding
    if endsReads { nextEnding = pages * 2 }
    if pages >= pagesHoldingReads { reads.hold(ending: endsReads) }
    defer { reads.release() }
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

/// Tells whether the running statement is over. Confined to the connection's thread.
private final class Ending {
  var isOver: () -> Bool = { false }
}

/// The WAL size after the last commit. Confined to the connection's thread.
private final class LogLength {
  var pages: Int32 = 0
}
