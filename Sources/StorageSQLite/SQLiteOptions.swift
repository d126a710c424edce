/// The bounds of one SQLite store. The defaults suit a service with its own file.
public struct SQLiteOptions: Sendable {
  /// Reading connections, each on a thread of its own. WAL lets them run beside the writer.
  public var readers = 4
  /// Writes that may wait; one more throws `StorageError.busy`. At 10,000 a second this is a wait
  /// of under half a second, below any sensible deadline.
  public var waitingWrites = 4_096
  /// Reads that may wait; one more throws `StorageError.busy`.
  public var waitingReads = 4_096
  /// Writes that share one commit at most: some 10 ms of work, so that none waits longer for it.
  public var writesPerCommit = 256
  /// Rows from which on a commit takes no further write: some 50 ms of work. A write may hold many
  /// records.
  public var rowsPerCommit = 8_192
  /// The size the write-ahead log is cut back to once a slow reader no longer holds it.
  public var logBytes = 64 << 20

  /// Runs right before each COMMIT; what it throws is that commit's failure. For fault tests.
  var commitFault: (@Sendable () throws -> Void)?

  public init() {}
}
