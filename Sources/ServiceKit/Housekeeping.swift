import Foundation
public import Logging
import Metrics
public import Storage

/// Applies retention: purges the request ledger, the feed and old monthly partitions once an hour.
/// Also creates the partitions of the coming months and runs ``ServiceUpkeep/keepDeadlines()``.
public struct Housekeeping: Sendable {
  /// Often enough that a purge stays small.
  private static let interval = Duration.seconds(3_600)
  /// The interval of what is watched: often enough for an alarm, and short, because writes may be
  /// refused until this process has taken up keys that another replica took up.
  private static let watchInterval = Duration.seconds(5)

  /// What one round forgot.
  public struct Forgotten: Sendable, Hashable {
    /// Rows removed of the request ledger.
    public let requests: Int
    /// Rows removed of the feed.
    public let events: Int
    /// Parts of tables by month (rows on SQLite).
    public let months: Int

    /// Creates the counts of one round.
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
    async let _ = watch(logger)
    while !Task.isCancelled {
      await logged(logger) {
        let forgotten = try await forget()
        if forgotten.requests + forgotten.events + forgotten.months > 0 {
          logger.info(
            "forgotten",
            metadata: [
              "requests": "\(forgotten.requests)", "events": "\(forgotten.events)",
              "months": "\(forgotten.months)",
            ])
        }
      }
      await logged(logger) {
        let overdue = try await upkeep.keepDeadlines()
        if overdue > 0 { logger.info("overdue", metadata: ["seen_to": "\(overdue)"]) }
      }
      // Time itself is meant: there is no condition to wait for.
      try? await Task.sleep(for: Self.interval)
    }
  }

  /// Exports the writer's statistics, and takes up newer keyrings when another replica has.
  private func watch(_ logger: Logger) async {
    var last = WriterStatistics()
    var refusal = ""
    while !Task.isCancelled {
      let current = database.statistics
      Counter(label: "storage.writes").increment(by: current.writes - last.writes)
      Counter(label: "storage.commits").increment(by: current.commits - last.commits)
      Gauge(label: "storage.writes.waiting").record(current.waiting)
      last = current
      do {
        if try await database.takeUpNewerKeys(upkeep.storeKeyrings) {
          logger.info("keyrings taken up: another replica uses newer keys")
        }
        refusal = ""
      } catch StorageError.keyring(let reason) where reason != refusal {
        refusal = reason
        logger.error(
          "writes are refused: another replica uses newer keys; copy its keyring files here",
          metadata: ["cause": "\(reason)"])
      } catch {
        // A store that fails is logged by the calls that need it.
      }
      // Time itself is meant: neither marks nor statistics are announced.
      try? await Task.sleep(for: Self.watchInterval)
    }
  }

  private func logged(_ logger: Logger, _ work: () async throws -> Void) async {
    do {
      try await work()
    } catch {
      if Task.isCancelled { return }
      logger.warning("housekeeping failed", metadata: ["cause": "\(error)"])
    }
  }

  /// One round; what fails keeps nothing else from being done.
  ///
  /// - Throws: the first error, `StorageError` mostly.
  public func forget() async throws -> Forgotten {
    let now = clock.now
    let past = try await database.forgettingInstant(at: now)
    var failure: (any Error)?
    func attempt(_ work: () async throws -> Int) async -> Int {
      do {
        return try await work()
      } catch {
        failure = failure ?? error
        return 0
      }
    }
    var months = 0
    for table in [StorageSchema.auditMonths] + upkeep.monthlyTables {
      months += await attempt { try await database.keepMonths(of: table, at: now, past: past) }
    }
    let requests = await attempt {
      let retention = TimeInterval(Limits.requestRetention.components.seconds)
      return try await database.purgeRequests(before: past.addingTimeInterval(-retention))
    }
    let events = await attempt {
      try await database.purgeFeed(
        before: past.addingTimeInterval(-feedRetention),
        keepingLast: { upkeep.currentVersions(of: $0) })
    }
    if let failure { throw failure }
    return Forgotten(requests: requests, events: events, months: months)
  }
}
