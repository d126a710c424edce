/// The bounds of one PostgreSQL store. The defaults suit a service with some replicas.
public struct PostgresOptions: Sendable {
  /// Reading connections, beside the one that writes. Each is a process of the server; one more
  /// is made while slow reads hold all of them, for what writes read.
  public var readers = 3
  /// Writes that may wait; one more throws `StorageError.busy`.
  public var waitingWrites = 4_096
  /// Reads that may wait; one more throws `StorageError.busy`.
  public var waitingReads = 4_096
  /// Writes that share one commit at most: 64 of them measured the best of throughput and delay.
  public var writesPerCommit = 64
  /// Statements that share one commit at most: what a transaction holds other replicas up.
  public var statementsPerCommit = 2_048
  /// Reads on their way on one connection: enough to keep the server busy, few enough that a slow
  /// one holds up few.
  public var readsInFlight = 32
  /// How long a call waits for its turn before it is refused as `busy`: most calls' deadlines pass
  /// before, and cancel it. Writers of one row wait for each other's commits.
  public var waitMax = Duration.seconds(30)
  /// How long a call waits while there is no connection before it is refused as `unreachable`: over
  /// a restart of the server; a failover takes longer, and callers should know.
  public var outageMax = Duration.seconds(2)
  /// How long opening and migrating wait for a server that can't be reached yet.
  public var openMax = Duration.zero
  /// How long the server may owe an answer before another connection looks whether it still works
  /// for this one: a machine that hangs keeps its connections open, one that is merely overloaded
  /// answers by then.
  public var doubtMax = Duration.seconds(10)
  /// The server ends a statement that runs longer: it is a mistake, not a service's query.
  public var statementMax = Duration.seconds(30)
  /// The server ends a transaction whose process fell silent: it holds up every other replica.
  public var silenceMax = Duration.seconds(10)

  public init() {}
}
