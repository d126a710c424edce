internal import CPostgres
internal import Glibc
internal import Storage

/// A libpq result. Confined to the thread that received it.
final class PostgresResult {
  enum Status {
    /// The command succeeded, with or without rows.
    case done
    case sync
    /// Skipped, because an earlier command of the pipeline failed.
    case passedOver
    case failed(ServerError)
  }

  /// The owned handle, cleared in `deinit`.
  private let handle: OpaquePointer

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  deinit {
    PQclear(handle)
  }

  var status: Status {
    switch PQresultStatus(handle) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: .done
    case PGRES_PIPELINE_SYNC: .sync
    case PGRES_PIPELINE_ABORTED: .passedOver
    default: .failed(error)
    }
  }

  private var error: ServerError {
    ServerError(
      state: field("C") ?? "",
      message: field("M") ?? PQresultErrorMessage(handle).map { String(cString: $0) } ?? "",
      table: field("t"), column: field("c"), constraint: field("n"), detail: field("D"))
  }

  /// Whether it is the result of a query, whose rows may be none.
  var hasColumns: Bool { PQresultStatus(handle) == PGRES_TUPLES_OK }

  /// Returns a field of the error report by its protocol letter.
  private func field(_ letter: Unicode.Scalar) -> String? {
    PQresultErrorField(handle, Int32(letter.value)).map { String(cString: $0) }
  }

  /// The number of rows that an INSERT, UPDATE or DELETE affected.
  var touched: Int { PQcmdTuples(handle).map { atol($0) } ?? 0 }

  /// Whether a COMMIT succeeded; the server answers `ROLLBACK` if the transaction had failed.
  var isCommit: Bool { PQcmdStatus(handle).map { strcmp($0, "COMMIT") == 0 } ?? false }

  /// Returns the rows, at most `Limits.rowsPerQuery`.
  func rows() throws(StorageError) -> [Row] {
    let (count, width) = (PQntuples(handle), PQnfields(handle))
    guard count <= Limits.rowsPerQuery else { throw .limit("rows per query") }
    let columns = (0..<width).map { PQfname(handle, $0).map { String(cString: $0) } ?? "" }
    let types = (0..<width).map { PQftype(handle, $0) }
    var rows: [Row] = []
    rows.reserveCapacity(Int(count))
    for row in 0..<count {
      var values: [SQLValue] = []
      values.reserveCapacity(Int(width))
      for column in 0..<width { values.append(try value(row, column, types[Int(column)])) }
      rows.append(Row(columns: columns, values: values))
    }
    return rows
  }

  /// Decodes one value. The bytes are owned by the result and copied.
  private func value(
    _ row: Int32, _ column: Int32, _ type: UInt32
  ) throws(StorageError) -> SQLValue {
    if PQgetisnull(handle, row, column) == 1 { return .null }
    let bytes = UnsafeRawBufferPointer(
      start: PQgetvalue(handle, row, column), count: Int(PQgetlength(handle, row, column)))
    return try SQLValue(bytes, ofType: type)
  }
}
