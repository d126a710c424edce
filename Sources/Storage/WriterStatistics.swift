/// What the writer did since the store was opened, for metrics.
public struct WriterStatistics: Sendable, Hashable {
  /// Writes that stored something and were committed.
  public var writes = 0
  /// Commits that they shared.
  public var commits = 0
  /// Writes that wait for the writer right now.
  public var waiting = 0

  public init() {}
}
