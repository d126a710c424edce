import Foundation
public import Logging
public import Storage

/// Forgets what a store keeps for a time only: request ids that nobody retries any more, events of
/// the feed that every consumer has long taken, months of tables that are kept so long. Makes the
/// months to come, and sees to what is overdue.
public struct Housekeeping: Sendable {
  /// Often enough that a purge stays small.
  private static let interval = Duration.seconds(3_600)

  /// What one round forgot.
  public struct Forgotten: Sendable, Hashable {
    /// Rows removed of the request ledger, and of the feed.
    public let requests: Int
    public let events: Int
    /// Parts of tables by month (rows on SQLite).
    public let months: Int

    public init(requests: Int, events: Int, months: Int = 0) {
      self.requests = requests
      self.events = events
      self.months = months
    }
  }

  private let database: any Database
  private let upkeep: any ServiceUpkeep
  private let clock: Clock
  private let feedRetention: TimeInterval

  /// - Parameter feedRetentionDays: how long events are kept; a consumer that is away for longer
  ///   finds its cursor expired.
  public init(
    database: any Database, upkeep: any ServiceUpkeep, clock: Clock = .system,
    feedRetentionDays: Int
  ) {
    self.database = database
    self.upkeep = upkeep
    self.clock = clock
    feedRetention = TimeInterval(feedRetentionDays) * 86_400
  }

  /// With the retention that is configured.
  public init(
    database: any Database, upkeep: any ServiceUpkeep, configuration: ServiceConfiguration
  ) {
    self.init(
      database: database, upkeep: upkeep, feedRetentionDays: configuration.feedRetentionDays)
  }

  /// Forgets every hour until its task is cancelled, sees to what is overdue, and measures the
  /// feed's consumers more often. A failure is logged, and tried again an hour later.
  public func run(logger: Logger) async {
    async let _ = upkeep.feedLag.run()
    while !Task.isCancelled {
      do {
        let forgotten = try await forget()
        if forgotten.requests + forgotten.events + forgotten.months > 0 {
          logger.info(
            "forgotten",
            metadata: [
              "requests": "\(forgotten.requests)", "events": "\(forgotten.events)",
              "months": "\(forgotten.months)",
            ])
        }
        let overdue = try await upkeep.keepDeadlines()
        if overdue > 0 { logger.info("overdue", metadata: ["seen_to": "\(overdue)"]) }
      } catch {
        if Task.isCancelled { return }
        logger.warning("housekeeping failed", metadata: ["cause": "\(error)"])
      }
      // Time itself is meant: there is no condition to wait for.
      try? await Task.sleep(for: Self.interval)
    }
  }

  /// One round.
  /// - Throws: `StorageError`.
  public func forget() async throws -> Forgotten {
    let retention = TimeInterval(Limits.requestRetention.components.seconds)
    var months = 0
    for table in [StorageSchema.auditMonths] + upkeep.monthlyTables {
      months += try await database.keepMonths(of: table, at: clock.now)
    }
    return Forgotten(
      requests: try await database.purgeRequests(
        before: clock.now.addingTimeInterval(-retention)),
      events: try await database.purgeFeed(
        before: clock.now.addingTimeInterval(-feedRetention),
        keepingLast: { upkeep.currentVersions(of: $0) }),
      months: months)
  }
}
