/// The limits of the storage layer. Every queue, page and retry is bounded.
public enum Limits {
  /// How long a starting service waits for its database server: the duration of a failover.
  public static let openPatience = Duration.seconds(30)
  /// The maximum number of rows per query: a page of 1,000 with room for joins and imports. Keeps
  /// memory below about 50 MB per query.
  public static let rowsPerQuery = 100_000
  /// The maximum number of attempts of a write whose guards fail. With random arrivals, eight
  /// attempts fail only on a hot spot, which the caller must know of.
  public static let attemptsPerWrite = 8
  /// The maximum number of read phases of one write; more indicate a loop.
  public static let phasesPerWrite = 32
  /// The maximum number of events returned by one call of `feed`.
  public static let eventsPerRead = 1_000
  /// How long the first reply to a request id is kept (ARCHITECTURE, small decisions): clients stop
  /// retrying within days.
  public static let requestRetention = Duration.seconds(30 * 24 * 3_600)
  /// The maximum number of rows that a purge deletes per commit, so that it delays other writers by
  /// milliseconds only.
  public static let rowsPerPurge = 500
  /// The maximum size of a page token's text in bytes; a longer one was not issued here.
  public static let pageTokenBytes = 4_096
  /// The maximum size of a keyring file in bytes.
  public static let keyringBytes = 65_536
}
