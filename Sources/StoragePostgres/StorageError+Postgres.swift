internal import Foundation
internal import Storage

/// An error reported by the server.
struct ServerError: Error, Equatable {
  /// The SQLSTATE, five characters (PostgreSQL manual, appendix A); empty if the connection was
  /// lost.
  var state: String
  var message: String
  var table: String?
  var column: String?
  var constraint: String?
  var detail: String?

  /// Whether a retry of the transaction may succeed: it was rolled back because of a conflict.
  var isTransient: Bool { ["40001", "40P01", "55P03"].contains(state) }

  /// Whether the command was rejected because its transaction had failed before.
  var isAborted: Bool { state == "25P02" }

  /// Whether the session lacks the prepared statement: its preparation was part of a failed batch.
  var isForgotten: Bool { state == "26000" }

  /// Whether the session's prepared statements are missing or no longer match the schema.
  var isStale: Bool { isForgotten || state == "0A000" }

  /// Whether a lock timeout expired.
  var isLockTimeout: Bool { state == "55P03" }

  /// Whether the statement was canceled, by request or by its timeout.
  var isCancellation: Bool { state == "57014" }

  /// Whether the server refused to write, in a session that it goes on serving.
  var isReadOnly: Bool { state == "25006" }

  /// Whether the server no longer serves this connection: it is shutting down, lost its role, or
  /// the connection broke. Class 57 is operator intervention, or a crash.
  var endsConnection: Bool {
    state.isEmpty || state.hasPrefix("08") || isReadOnly || state == "25P03"
      || (state.hasPrefix("57") && !isCancellation)
  }

  /// Maps the error to the case common to both engines. Unlisted codes are mapped by class: server
  /// failures are not the fault of the running statement.
  func storageError(sql: String) -> StorageError {
    let text = StorageError.Detail("PostgreSQL \(state): \(message): \(sql)")
    switch state {
    case "23505", "23503", "23502", "23514", "23P01", "23000":
      return .violated(StorageError.Constraint(self))
    case "55P03", "25P02", "26000": return .contention
    case "53100": return .full(text)
    case "53200": return .io(text)
    case "57014": return .busy
    case "42501": return .forbidden(.init(message))
    case "XX001", "XX002": return .corrupt(text)
    default: break
    }
    if endsConnection { return .unreachable(text) }
    return switch state.prefix(2) {
    case "40": .contention
    // Insufficient resources, and configuration limits.
    case "53": .busy
    // System errors, configuration file errors, and internal errors.
    case "58", "F0", "XX": .io(text)
    default: .statement(text)
    }
  }

  /// Maps an error of the engine's own statements, which are never the fault of a caller.
  var ownError: StorageError {
    let error = storageError(sql: "(transaction)")
    return if case .statement(let detail) = error { .io(detail) } else { error }
  }
}

extension StorageError {
  /// The error reported to calls that wait for a connection: whatever the server reported during
  /// the session setup, the call is not at fault.
  var asOutage: StorageError {
    switch self {
    case .unreachable, .busy, .io, .full, .forbidden: self
    default: .unreachable(.init(debugDetail ?? description))
    }
  }
}

extension StorageError.Constraint {
  /// The table is a field of the report; the columns of a unique key are only part of its detail:
  /// `Key (body, version)=(…) already exists.`
  init(_ error: ServerError) {
    switch error.state {
    case "23505":
      let columns = error.detail.flatMap(Self.keyColumns) ?? []
      self.init(kind: .unique, table: error.table, columns: columns)
    case "23502":
      self.init(kind: .notNull, table: error.table, columns: error.column.map { [$0] } ?? [])
    case "23503": self.init(kind: .foreignKey)
    case "23514": self.init(kind: .check)
    default: self.init(kind: .other)
    }
  }

  private static func keyColumns(_ detail: String) -> [String]? {
    guard let open = detail.firstIndex(of: "("), let end = detail.range(of: ")=(") else {
      return nil
    }
    return detail[detail.index(after: open)..<end.lowerBound].split(separator: ", ")
      .map { $0.filter { $0 != "\"" } }
  }
}
