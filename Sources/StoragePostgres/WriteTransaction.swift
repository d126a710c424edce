internal import Storage

/// One group of writes on its way: what was sent of it, and what its answers said.
final class WriteTransaction {
  enum State {
    /// Takes the store's lock for a write that is yet to be decided.
    case locking
    case locked
    /// Its statements are on their way; the commit is not.
    case running
    /// The commit is on its way.
    case committing
    case undoing
  }

  private(set) var group: [DecidedWrite]
  var state: State
  /// Begun and committed by statements of its own; otherwise its one batch is the transaction.
  let isExplicit: Bool
  /// Batches without their last answer.
  var batches = 0
  /// Of each write, the statement whose guard failed first.
  private(set) var refused: [Int: Statement] = [:]
  /// Of each write, its first error.
  private(set) var failed: [Int: StorageError] = [:]
  var ownFailure: StorageError?
  var hasEvents = false
  /// The chain's head before it.
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

  /// - Parameter write: `nil` for what isn't a write's own.
  func fail(_ error: StorageError, of write: Int?) {
    guard let write else {
      ownFailure = ownFailure ?? error
      return
    }
    if failed[write] == nil { failed[write] = error }
  }
}

extension Statement {
  func allows(_ touched: Int) -> Bool {
    switch expects {
    case .any: true
    case .exactly(let count): touched == count
    }
  }

  /// Whether it either touches the rows that it must, or fails with an error: an INSERT of one row
  /// of values. What it is sent with needn't wait for its count.
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
