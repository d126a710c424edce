internal import GRDB
internal import Storage

extension StorageError {
  /// The case that an error of the engine stands for.
  init(sqlite error: any Error) {
    if let error = error as? StorageError {
      self = error
      return
    }
    guard let error = error as? DatabaseError else {
      self = .statement(Detail(String(describing: error)))
      return
    }
    let detail = Detail("\(error.extendedResultCode.rawValue): \(error.description)")
    switch error.resultCode {
    case .SQLITE_CONSTRAINT: self = .constraint(Constraint(sqlite: error))
    case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
    case .SQLITE_FULL: self = .full(detail)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(detail)
    case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_NOMEM,
      .SQLITE_NOLFS, .SQLITE_PROTOCOL:
      self = .io(detail)
    case .SQLITE_TOOBIG: self = .limit("bytes of a value")
    default: self = .statement(detail)
    }
  }
}

extension StorageError.Constraint {
  /// SQLite says "UNIQUE constraint failed: member.hash, member.kind".
  init(sqlite error: DatabaseError) {
    let names = (error.message ?? "").split(separator: ": ").last?.split(separator: ", ") ?? []
    let places = names.map { $0.split(separator: ".").map(String.init) }
    let isPlaces = !places.isEmpty && places.allSatisfy { $0.count == 2 }
    self.init(
      kind: Kind(sqlite: error.extendedResultCode), table: isPlaces ? places[0][0] : nil,
      columns: isPlaces ? places.map { $0[1] } : [])
  }
}

extension StorageError.Constraint.Kind {
  init(sqlite code: ResultCode) {
    switch code {
    case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_ROWID:
      self = .unique
    case .SQLITE_CONSTRAINT_FOREIGNKEY: self = .foreignKey
    case .SQLITE_CONSTRAINT_NOTNULL: self = .notNull
    case .SQLITE_CONSTRAINT_CHECK: self = .check
    default: self = .other
    }
  }
}
