/// The writer's statistics since the store was opened, for metrics.
public struct WriterStatistics: Sendable, Hashable {
  /// The number of committed writes that stored something.
  public var writes = 0
  /// The number of commits that they shared.
  public var commits = 0
  /// The number of writes in the queue.
  public var waiting = 0

  /// Creates statistics of a store that has written nothing.
  public init() {}
}
