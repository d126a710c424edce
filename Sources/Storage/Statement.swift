/// One INSERT, UPDATE or DELETE of a write, without RETURNING: everything it stores was decided
/// before.
///
/// Parameters are `?1`, `?2` … as in `Query`. Statements of one commit run in order as one group,
/// all or none.
public struct Statement: Sendable, Hashable {
  /// How many rows a statement must touch.
  ///
  /// A wrong count says that what the decision was based on has changed since it was read: the
  /// whole write is rolled back, read again and decided again, at most `Limits.attemptsPerWrite`
  /// times; then it throws `StorageError.contention`.
  public enum Expectation: Sendable, Hashable {
    case any
    case exactly(Int)
  }

  public let sql: String
  public let arguments: [SQLValue]
  public let expects: Expectation
  /// The place of an argument that is added to what is stored: statements that differ in it alone
  /// may be one with their sum (`Step.together`).
  let adds: Int?

  public init(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [], expects: Expectation = .any,
    adds: Int? = nil
  ) {
    self.sql = sql
    self.arguments = arguments.map(\.sqlValue)
    self.expects = expects
    self.adds = adds
  }
}
