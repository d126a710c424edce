public import Storage

/// The limits of a PostgreSQL store. The defaults suit a service with several replicas.
public struct PostgresOptions: Sendable {
  /// The number of read connections. Each is a server process. There is also one write connection,
  /// and a spare one for the read phases of writes while slow reads occupy all readers.
  public var readers = 3
  /// The maximum number of queued writes; further ones throw `StorageError.busy`.
  public var waitingWrites = 4_096
  /// The maximum number of queued reads; further ones throw `StorageError.busy`.
  public var waitingReads = 4_096
  /// The maximum number of writes per commit: 64 gave the best trade-off of throughput and latency
  /// when measured.
  public var writesPerCommit = 64
  /// The maximum number of statements per commit, which bounds how long a transaction blocks other
  /// replicas.
  public var statementsPerCommit = 2_048
  /// The maximum number of reads in flight per connection: enough to keep the server busy, few
  /// enough that a slow one delays few others.
  public var readsInFlight = 32
  /// How long a call is queued before it is refused as `busy`. Most calls are canceled earlier by
  /// their deadlines. Writers of one row wait for each other's commits.
  public var waitMax = Duration.seconds(30)
  /// How long a call waits without a connection before it is refused as `unreachable`: the duration
  /// of a server restart. A failover takes longer and is reported to callers.
  public var outageMax = Duration.seconds(2)
  /// Whether opening makes the store, and its schema, where there is none, and upgrades the tables
  /// that the engine owns, of an older release. Otherwise opening such a store throws
  /// `StorageError.address` or `.olderSchema`.
  public var prepares = true
  /// How long opening, migrating and altering wait for an unreachable server.
  public var openMax = Duration.zero
  /// Called when they begin to wait, with the reason, which may be one that no waiting mends.
  public var waits: @Sendable (StorageError) -> Void = { _ in }
  /// How long the server may owe an answer before it is probed over another connection. A hung
  /// machine keeps its connections open, while an overloaded one usually answers within this time.
  public var doubtMax = Duration.seconds(10)
  /// The server's statement timeout: a longer statement is a mistake.
  public var statementMax = Duration.seconds(30)
  /// The server's timeouts for locks and for idle transactions, which block every other replica.
  public var silenceMax = Duration.seconds(10)

  /// Creates the defaults.
  public init() {}
}
