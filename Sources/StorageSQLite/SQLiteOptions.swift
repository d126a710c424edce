/// The limits of a SQLite store. The defaults suit a service with its own file.
public struct SQLiteOptions: Sendable {
  /// The number of read connections, each on a thread of its own. WAL lets them read during writes.
  public var readers = 4
  /// The maximum number of queued writes; further ones throw `StorageError.busy`. At 10,000 writes
  /// a second a full queue means a delay below half a second, less than any sensible deadline.
  public var waitingWrites = 4_096
  /// The maximum number of queued reads; further ones throw `StorageError.busy`.
  public var waitingReads = 4_096
  /// The maximum number of writes per commit: about 10 ms of work, which bounds their latency.
  public var writesPerCommit = 256
  /// The number of changed rows from which a commit takes no further write: about 50 ms of work.
  /// One write may hold many records.
  public var rowsPerCommit = 8_192
  /// The size in bytes to which the write-ahead log is truncated once it is started over, and from
  /// which the writer holds new reads for up to 50 ms so that this happens. From four times that
  /// size reads that are still running end as `StorageError.busy`. (A copy of the store is not
  /// ended; the log grows by what is written meanwhile.)
  public var logBytes = 64 << 20
  /// Whether to make the store where there is none, and to upgrade the engine's tables of an older
  /// release. Otherwise opening such a store throws `StorageError.address` or `.olderSchema`.
  public var prepares = true

  /// Called before each COMMIT; an error that it throws fails the commit. For fault injection in
  /// tests.
  var commitFault: (@Sendable () throws -> Void)?

  /// Creates the defaults.
  public init() {}
}
