/// The bounds of the storage layer. Nothing in it grows without one.
public enum Limits {
  /// How long a service that starts waits for its store's server: over a failover.
  public static let openPatience = Duration.seconds(30)
  /// Rows that one query may return: a page of 1,000 with room for joins and imports; memory stays
  /// below some 50 MB a query.
  public static let rowsPerQuery = 100_000
  /// How often a write whose guard fails is read again. With random arrival the eighth attempt
  /// fails by chance only under a hot spot that the caller must know of.
  public static let attemptsPerWrite = 8
  /// Read phases of one write: more is a loop.
  public static let phasesPerWrite = 32
  /// Events that one call of `feed` returns at most.
  public static let eventsPerRead = 1_000
  /// How long the first reply to a request id is kept (ARCHITECTURE, small decisions): clients stop
  /// retrying within days.
  public static let requestRetention = Duration.seconds(30 * 24 * 3_600)
  /// Rows that one purge deletes in one commit, so that it delays other writers by milliseconds.
  public static let rowsPerPurge = 500
  /// Bytes of a page token's text: beyond it, it isn't one of ours.
  public static let pageTokenBytes = 4_096
  /// Bytes of a keyring file.
  public static let keyringBytes = 65_536
}
