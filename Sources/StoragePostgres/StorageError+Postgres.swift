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

  /// The session's prepared statements no longer fit the schema.
  var isStale: Bool { ["0A000", "26000"].contains(state) }

  /// Ended by a cancel request or by its time limit.
  var isCancellation: Bool { state == "57014" }

  /// The server no longer serves this connection: it shuts down, lost its role, or the link broke.
  var endsConnection: Bool {
    state.isEmpty || state.hasPrefix("08") || state == "25006"
      || ["57P01", "57P02", "57P03", "57P05", "25P03"].contains(state)
  }

  /// The case that both engines share.
  func storageError(sql: String) -> StorageError {
    let text = StorageError.Detail("PostgreSQL \(state): \(message): \(sql)")
    switch state {
    case "23505", "23503", "23502", "23514", "23P01", "23000":
      return .constraint(StorageError.Constraint(self))
    case "40001", "40P01", "55P03", "25P02": return .contention
    case "53100": return .full(text)
    case "53300", "53000", "57014": return .busy
    case "XX001", "XX002": return .corrupt(text)
    case "58030", "XX000", "58P01", "53200": return .io(text)
    default: return endsConnection ? .unreachable(text) : .statement(text)
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
