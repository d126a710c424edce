internal import Foundation
internal import GRDB
internal import Storage

/// One open connection, confined to the thread that holds it: rows and counts in, the module's own
/// errors out. Statements are compiled once and kept.
final class SQLiteConnection {
  private let database: GRDB.Database
  /// Set once an error showed that the file or the disk can't be trusted any more.
  private(set) var failure: StorageError?

  init(_ database: GRDB.Database) {
    self.database = database
  }

  /// The rows of a SELECT, at most `Limits.rowsPerQuery`.
  func rows(_ sql: String, _ arguments: [SQLValue]) throws(StorageError) -> [Storage.Row] {
    try mapped { () throws in
      let statement = try database.cachedStatement(sql: sql)
      let cursor = try GRDB.Row.fetchCursor(statement, arguments: StatementArguments(arguments))
      let columns = statement.columnNames
      var rows: [Storage.Row] = []
      while let row = try cursor.next() {
        if rows.count == Limits.rowsPerQuery { throw StorageError.limit("rows per query") }
        var values: [SQLValue] = []
        values.reserveCapacity(columns.count)
        for index in columns.indices { values.append(SQLValue(row[index] as DatabaseValue)) }
        rows.append(Storage.Row(columns: columns, values: values))
      }
      return rows
    }
  }

  /// Reads queries one after the other.
  func read(_ queries: [AnyQuery]) throws -> ReadResults {
    var values: [any Sendable] = []
    values.reserveCapacity(queries.count)
    for query in queries {
      values.append(try query.decode(try rows(query.sql, query.arguments)))
    }
    return ReadResults(values)
  }

  /// Runs one statement.
  ///
  /// - Returns: how many rows it touched.
  @discardableResult
  func run(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> Int {
    try mapped { () throws in
      let statement = try database.cachedStatement(sql: sql)
      try statement.execute(arguments: StatementArguments(arguments))
      return database.changesCount
    }
  }

  /// Runs a text of several statements.
  func runScript(_ sql: String) throws(StorageError) {
    try mapped { () throws in try database.execute(sql: sql) }
  }

  /// False too after an error that made SQLite roll back by itself.
  var isInTransaction: Bool { database.isInsideTransaction }

  /// Leaves whatever transaction there is.
  func rollBack() {
    if isInTransaction { _ = try? run("ROLLBACK") }
  }

  private func mapped<Value>(_ body: () throws -> Value) throws(StorageError) -> Value {
    do {
      return try body()
    } catch {
      let mapped = StorageError(sqlite: error)
      switch mapped {
      case .io, .corrupt: failure = mapped
      default: break
      }
      throw mapped
    }
  }
}

extension StatementArguments {
  init(_ values: [SQLValue]) {
    self.init(values.map { DatabaseValue($0) })
  }
}

extension DatabaseValue {
  init(_ value: SQLValue) {
    switch value {
    case .null: self = .null
    case .integer(let integer): self = integer.databaseValue
    case .real(let real): self = real.databaseValue
    case .text(let text): self = text.databaseValue
    case .blob(let bytes): self = Data(bytes).databaseValue
    }
  }
}

extension SQLValue {
  init(_ value: DatabaseValue) {
    switch value.storage {
    case .null: self = .null
    case .int64(let integer): self = .integer(integer)
    case .double(let real): self = .real(real)
    case .string(let text): self = .text(text)
    case .blob(let data): self = .blob(Array(data))
    }
  }
}
