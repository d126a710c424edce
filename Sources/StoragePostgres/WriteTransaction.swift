internal import Storage

/// A running transaction of one group of writes: its state and the answers so far. Confined to the
/// engine's thread.
final class WriteTransaction {
  enum State {
    /// Acquiring the store's lock for a write that has not been decided yet.
    case locking
    case locked
    /// The statements were sent; the commit was not.
    case running
    /// The commit was sent.
    case committing
    case undoing
  }

  private(set) var group: [DecidedWrite]
  var state: State
  /// Whether it has BEGIN and COMMIT statements; otherwise one batch is the implicit transaction.
  let isExplicit: Bool
  /// The number of batches whose sync has not been answered.
  var batches = 0
  /// The first statement with a failed guard, by index of the write.
  private(set) var refused: [Int: Statement] = [:]
  /// The first error, by index of the write.
  private(set) var failed: [Int: StorageError] = [:]
  /// The first error of the transaction itself.
  var ownFailure: StorageError?
  var hasEvents = false
  /// The audit chain's head before the transaction.
  var chainAtBegin: AuditChain

  init(_ group: [DecidedWrite], _ state: State, isExplicit: Bool, chain: AuditChain) {
    self.group = group
    self.state = state
    self.isExplicit = isExplicit
    chainAtBegin = chain
  }

  var isCommitting: Bool { if case .committing = state { true } else { false } }
  var isLocked: Bool { if case .locked = state { true } else { false } }
  var isRunning: Bool { if case .running = state { true } else { false } }
  var isSound: Bool { refused.isEmpty && failed.isEmpty && ownFailure == nil }

  func append(_ writes: [DecidedWrite]) { group += writes }
  func dropGroup() { group = [] }

  func refuse(_ write: Int, _ statement: Statement) {
    if refused[write] == nil { refused[write] = statement }
  }

  /// - Parameter write: The index of the write; `nil` for an error of the transaction itself.
  func fail(_ error: StorageError, of write: Int?) {
    guard let write else {
      ownFailure = ownFailure ?? error
      return
    }
    if failed[write] == nil { failed[write] = error }
  }
}

extension Statement {
  /// Returns whether a number of affected rows satisfies the guard.
  func allows(_ touched: Int) -> Bool {
    switch expects {
    case .any: true
    case .exactly(let count): touched == count
    }
  }

  /// Whether the statement either affects the expected rows or fails with an error, as an INSERT of
  /// one row of values does. A group of such statements can commit without checking row counts.
  var isSure: Bool {
    if case .any = expects { return true }
    guard case .exactly(1) = expects else { return false }
    var rows: Int?
    var depth = 0
    for (index, piece) in SQLText(sql).pieces.enumerated() {
      switch piece {
      case .word(let word):
        let word = word.uppercased()
        if index == 0 && word != "INSERT" { return false }
        if ["SELECT", "CONFLICT", "RETURNING", "WITH"].contains(word) { return false }
        if word == "VALUES" && depth == 0 { rows = 0 }
      case .other("("):
        if depth == 0 { rows = rows.map { $0 + 1 } }
        depth += 1
      case .other(")"): depth -= 1
      case .space, .parameter, .quoted, .other, .dollar: break
      }
    }
    return rows == 1
  }
}
