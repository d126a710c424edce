internal import GRDB
internal import GRDBSQLite
internal import Storage

extension StorageError {
  /// Maps an error of GRDB.
  init(sqlite error: any Error) {
    if let error = error as? StorageError {
      self = error
    } else if let error = error as? DatabaseError {
      self.init(
        sqliteCode: error.extendedResultCode.rawValue, message: error.message ?? "",
        sql: error.sql ?? "")
    } else {
      self = .statement(Detail(String(describing: error)))
    }
  }

  /// Maps an extended result code.
  init(sqliteCode code: Int32, message: String, sql: String) {
    let detail = Detail("SQLite \(code): \(message): \(sql)")
    switch code & 0xff {
    case SQLITE_CONSTRAINT: self = .violated(Constraint(sqliteCode: code, message: message))
    case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_INTERRUPT: self = .busy
    case SQLITE_FULL: self = .full(detail)
    case SQLITE_CORRUPT, SQLITE_NOTADB: self = .corrupt(detail)
    case SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_NOMEM, SQLITE_NOLFS,
      SQLITE_PROTOCOL:
      self = .io(detail)
    case SQLITE_TOOBIG: self = .limit("bytes of a value")
    default: self = .statement(detail)
    }
  }
}

extension StorageError.Constraint {
  /// Parses SQLite's message, e.g. "UNIQUE constraint failed: member.hash, member.kind".
  init(sqliteCode code: Int32, message: String) {
    let names = message.split(separator: ": ").last?.split(separator: ", ") ?? []
    let places = names.map { $0.split(separator: ".").map(String.init) }
    let isPlaces = !places.isEmpty && places.allSatisfy { $0.count == 2 }
    self.init(
      kind: Kind(sqliteCode: code), table: isPlaces ? places[0][0] : nil,
      columns: isPlaces ? places.map { $0[1] } : [])
  }
}

extension StorageError.Constraint.Kind {
  init(sqliteCode code: Int32) {
    switch ResultCode(rawValue: code) {
    case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_ROWID:
      self = .unique
    case .SQLITE_CONSTRAINT_FOREIGNKEY: self = .foreignKey
    case .SQLITE_CONSTRAINT_NOTNULL: self = .notNull
    case .SQLITE_CONSTRAINT_CHECK: self = .check
    default: self = .other
    }
  }
}
