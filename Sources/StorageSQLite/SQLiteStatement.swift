internal import GRDBSQLite
internal import Storage

/// A prepared statement. Confined to its connection's thread.
///
/// GRDB opens and configures connections. Statements call SQLite directly, which takes about half
/// the time for small ones and preserves text with any content.
final class SQLiteStatement {
  /// The owned handle, finalized in `deinit`, before the connection closes.
  private let handle: OpaquePointer
  private let connection: OpaquePointer
  private let parameters: Int
  private let bytes: ArgumentBytes
  /// The column names of the result.
  private(set) var columns: [String]

  /// - Parameter bytes: The connection's buffer for arguments.
  /// - Throws: `StorageError.statement` if the SQL is invalid, empty, or more than one statement.
  init(
    _ sql: String, on connection: OpaquePointer, bytes: ArgumentBytes
  ) throws(StorageError) {
    var handle: OpaquePointer?
    var sql = sql
    // SQLite copies the text; the tail pointer is used only inside the closure.
    let (code, isWhole) = sql.withUTF8 { text -> (Int32, Bool) in
      text.withMemoryRebound(to: CChar.self) { text in
        var tail: UnsafePointer<CChar>?
        let code = sqlite3_prepare_v3(
          connection, text.baseAddress, Int32(text.count), UInt32(SQLITE_PREPARE_PERSISTENT),
          &handle, &tail)
        let used = tail.flatMap { end in text.baseAddress.map { end - $0 } } ?? text.count
        return (code, text[used...].allSatisfy { $0 == 32 || $0 == 10 || $0 == 59 })
      }
    }
    guard code == SQLITE_OK else { throw StorageError(sqlite: connection, sql: sql) }
    guard let handle, isWhole else {
      sqlite3_finalize(handle)
      throw .statement(.init("not one statement: \(sql)"))
    }
    self.handle = handle
    self.connection = connection
    self.bytes = bytes
    parameters = Int(sqlite3_bind_parameter_count(handle))
    columns = SQLiteStatement.columns(of: handle)
  }

  deinit {
    sqlite3_finalize(handle)
  }

  private static func columns(of handle: OpaquePointer) -> [String] {
    (0..<sqlite3_column_count(handle)).map { index in
      sqlite3_column_name(handle, index).map { String(cString: $0) } ?? ""
    }
  }

  /// Executes the statement and returns its rows, at most `Limits.rowsPerQuery`.
  func rows(_ arguments: [SQLValue]) throws(StorageError) -> [Storage.Row] {
    defer { reset() }
    try bind(arguments)
    var rows: [Storage.Row] = []
    while try step() {
      if rows.isEmpty, Int(sqlite3_column_count(handle)) != columns.count {
        // SQLite recompiled the statement after a schema change.
        columns = SQLiteStatement.columns(of: handle)
      }
      if rows.count == Limits.rowsPerQuery { throw .limit("rows per query") }
      rows.append(Storage.Row(columns: columns, values: values()))
    }
    return rows
  }

  /// Executes the statement and ignores its rows.
  func run(_ arguments: [SQLValue]) throws(StorageError) {
    defer { reset() }
    try bind(arguments)
    while try step() {}
  }

  /// Steps the statement; returns whether there is a row.
  private func step() throws(StorageError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: true
    case SQLITE_DONE: false
    default: throw StorageError(sqlite: connection, sql: String(cString: sqlite3_sql(handle)))
    }
  }

  /// Resets the statement and releases its arguments.
  private func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
    bytes.clear()
  }

  private func bind(_ arguments: [SQLValue]) throws(StorageError) {
    guard arguments.count == parameters else {
      throw .statement(
        .init("\(arguments.count) arguments for \(String(cString: sqlite3_sql(handle)))"))
    }
    bytes.reserve(arguments.reduce(0) { $0 + $1.byteCount })
    for (offset, argument) in arguments.enumerated() {
      let index = Int32(offset + 1)
      let code =
        switch argument {
        case .null: sqlite3_bind_null(handle, index)
        case .integer(let integer): sqlite3_bind_int64(handle, index, integer)
        case .real(let real): sqlite3_bind_double(handle, index, real)
        case .text(let text): try bind(text, at: index)
        case .blob(let blob): bind(blob, at: index)
        }
      guard code == SQLITE_OK else {
        throw StorageError(sqlite: connection, sql: String(cString: sqlite3_sql(handle)))
      }
    }
  }

  /// Binds a text. Rejects NUL, which PostgreSQL's text can't hold.
  private func bind(_ text: String, at index: Int32) throws(StorageError) -> Int32 {
    var text = text
    let copy = text.withUTF8 { bytes.append(UnsafeRawBufferPointer($0)) }
    if copy.contains(0) { throw .statement(.init("a text holds NUL")) }
    // `SQLITE_STATIC`: SQLite reads the bytes in place.
    return sqlite3_bind_text64(
      handle, index, copy.assumingMemoryBound(to: CChar.self).baseAddress, UInt64(copy.count), nil,
      UInt8(SQLITE_UTF8))
  }

  private func bind(_ blob: [UInt8], at index: Int32) -> Int32 {
    let copy = blob.withUnsafeBytes { bytes.append($0) }
    return sqlite3_bind_blob64(handle, index, copy.baseAddress, UInt64(copy.count), nil)
  }

  /// Returns the current row. SQLite's column pointers are valid until the next step, so all values
  /// are copied.
  private func values() -> [SQLValue] {
    [SQLValue](unsafeUninitializedCapacity: columns.count) { buffer, count in
      for index in 0..<Int32(columns.count) {
        buffer.initializeElement(at: Int(index), to: value(index))
        count += 1
      }
    }
  }

  private func value(_ index: Int32) -> SQLValue {
    switch sqlite3_column_type(handle, index) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, index))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, index))
    case SQLITE_TEXT:
      let text = sqlite3_column_text(handle, index)
      let count = Int(sqlite3_column_bytes(handle, index))
      return .text(
        String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
    case SQLITE_BLOB:
      let blob = sqlite3_column_blob(handle, index)
      let count = Int(sqlite3_column_bytes(handle, index))
      return .blob(Array(UnsafeRawBufferPointer(start: blob, count: count)))
    default: return .null
    }
  }
}

extension StorageError {
  /// Creates an error from the last error of a connection.
  init(sqlite connection: OpaquePointer, sql: String) {
    self.init(
      sqliteCode: sqlite3_extended_errcode(connection),
      message: String(cString: sqlite3_errmsg(connection)), sql: sql)
  }
}
