internal import CPostgres
internal import Glibc
internal import Storage

/// One result of libpq. Confined to the thread that took it.
final class PostgresResult {
  enum Status {
    /// A command that is done, with or without rows.
    case done
    case sync
    /// Passed over, since something before it in the pipeline failed.
    case passedOver
    case failed(ServerError)
  }

  /// Owned: cleared in `deinit`.
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

  /// A field of the report, by its letter in the protocol.
  private func field(_ letter: Unicode.Scalar) -> String? {
    PQresultErrorField(handle, Int32(letter.value)).map { String(cString: $0) }
  }

  /// How many rows an INSERT, UPDATE or DELETE touched.
  var touched: Int { PQcmdTuples(handle).map { atol($0) } ?? 0 }

  /// A commit that did: one that failed is called `ROLLBACK`.
  var isCommit: Bool { PQcmdStatus(handle).map { strcmp($0, "COMMIT") == 0 } ?? false }

  /// The rows, at most `Limits.rowsPerQuery`.
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

  /// The bytes belong to the result, and are copied.
  private func value(
    _ row: Int32, _ column: Int32, _ type: UInt32
  ) throws(StorageError) -> SQLValue {
    if PQgetisnull(handle, row, column) == 1 { return .null }
    let bytes = UnsafeRawBufferPointer(
      start: PQgetvalue(handle, row, column), count: Int(PQgetlength(handle, row, column)))
    return try SQLValue(bytes, ofType: type)
  }
}
