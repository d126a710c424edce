internal import Foundation
internal import Storage

/// An error as the server reports it.
struct ServerError: Error, Equatable {
  /// Five characters (PostgreSQL manual, appendix A); empty where the connection broke.
  var state: String
  var message: String
  var table: String?
  var column: String?
  var constraint: String?
  var detail: String?

  /// Another attempt of the same transaction may succeed: it lost against others, and is undone.
  var isTransient: Bool { ["40001", "40P01", "55P03"].contains(state) }

  /// Passed over, since the transaction around it had failed before.
  var isAborted: Bool { state == "25P02" }

  /// The session has no prepared statement of that name: it was to be prepared by a batch that
  /// failed before.
  var isForgotten: Bool { state == "26000" }

  /// The session's prepared statements no longer fit the schema, or are gone.
  var isStale: Bool { isForgotten || state == "0A000" }

  /// Waited too long for what another holds.
  var isLockTimeout: Bool { state == "55P03" }

  /// Ended by a cancel request or by its time limit.
  var isCancellation: Bool { state == "57014" }

  /// The server no longer serves this connection: it shuts down, lost its role, or the link broke.
  /// Class 57 is what an operator did, or a crash.
  var endsConnection: Bool {
    state.isEmpty || state.hasPrefix("08") || ["25006", "25P03"].contains(state)
      || (state.hasPrefix("57") && !isCancellation)
  }

  /// The case that both engines share. By class, where nothing is said of the code itself: what
  /// befalls a server is no fault of the statement that was running.
  func storageError(sql: String) -> StorageError {
    let text = StorageError.Detail("PostgreSQL \(state): \(message): \(sql)")
    switch state {
    case "23505", "23503", "23502", "23514", "23P01", "23000":
      return .constraint(StorageError.Constraint(self))
    case "55P03", "25P02", "26000": return .contention
    case "53100": return .full(text)
    case "53200": return .io(text)
    case "57014": return .busy
    case "XX001", "XX002": return .corrupt(text)
    default: break
    }
    if endsConnection { return .unreachable(text) }
    return switch state.prefix(2) {
    case "40": .contention
    // Resources, and limits of the configuration.
    case "53": .busy
    // Errors of the system, of the configuration file, and of the server itself.
    case "58", "F0", "XX": .io(text)
    default: .statement(text)
    }
  }

  /// As ``storageError(sql:)``, of a statement that no caller wrote, which can't be wrong: whose
  /// fault it is, it is none of theirs.
  var ownError: StorageError {
    let error = storageError(sql: "(transaction)")
    return if case .statement(let detail) = error { .io(detail) } else { error }
  }
}

extension StorageError {
  /// Why there is no connection, as a call that waits for one is told: whatever the server said to
  /// the engine's own first statements, the call is not at fault.
  var asOutage: StorageError {
    switch self {
    case .unreachable, .busy, .io, .full: self
    default: .unreachable(.init(debugDetail ?? description))
    }
  }
}

extension StorageError.Constraint {
  /// The table is a field of the report; the columns of a key stand only in its detail:
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
