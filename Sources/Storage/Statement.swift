/// One INSERT, UPDATE or DELETE of a write. It has no RETURNING clause, because all values are
/// decided before the commit.
///
/// Parameters are `?1`, `?2` … as in `Query`. The statements of one commit run in order and
/// atomically.
public struct Statement: Sendable, Hashable {
  /// The number of rows that a statement must affect.
  ///
  /// Another count means that the data on which the decision was based have changed since they were
  /// read. The write is then rolled back, read and decided again, up to `Limits.attemptsPerWrite`
  /// attempts in all; then it throws `StorageError.contention`.
  public enum Expectation: Sendable, Hashable {
    /// Any number of rows.
    case any
    /// Exactly the given number of rows.
    case exactly(Int)
  }

  /// The SQL text.
  public let sql: String
  /// The arguments, bound to `?1`, `?2` and so on.
  public let arguments: [SQLValue]
  /// The number of rows to affect.
  public let expects: Expectation
  /// The index of an argument that is added to a stored value. Statements that differ only in this
  /// argument may be merged into one that adds the sum (`Step.together`).
  let adds: Int?
  /// Whether the statement is a guard that changes no value. Of equal ones, one is enough
  /// (`Step.together`).
  let isCheck: Bool

  /// Creates a statement with the given text, arguments and expected row count.
  public init(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [], expects: Expectation = .any,
    adds: Int? = nil, isCheck: Bool = false
  ) {
    self.init(
      sql, values: arguments.map(\.sqlValue), expects: expects, adds: adds, isCheck: isCheck)
  }

  init(
    _ sql: String, values: [SQLValue], expects: Expectation, adds: Int? = nil, isCheck: Bool = false
  ) {
    self.sql = sql
    arguments = values
    self.expects = expects
    self.adds = adds
    self.isCheck = isCheck
  }
}
