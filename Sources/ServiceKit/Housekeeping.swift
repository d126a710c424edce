import Foundation
public import Logging
public import Storage

/// Forgets what a store keeps for a time only: request ids that nobody retries any more, and events
/// of the feed that every consumer has long taken.
public struct Housekeeping: Sendable {
  /// Often enough that a purge stays small.
  private static let interval = Duration.seconds(3_600)

  /// What one round forgot.
  public struct Forgotten: Sendable, Hashable {
    /// Rows removed of the request ledger, and of the feed.
    public let requests: Int
    public let events: Int

    public init(requests: Int, events: Int) {
      self.requests = requests
      self.events = events
    }
  }

  private let database: any Database
  private let clock: Clock
  private let feedRetention: TimeInterval

  /// - Parameter feedRetentionDays: how long events are kept; a consumer that is away for longer
  ///   finds its cursor expired.
  public init(database: any Database, clock: Clock = .system, feedRetentionDays: Int) {
    self.database = database
    self.clock = clock
    feedRetention = TimeInterval(feedRetentionDays) * 86_400
  }

  /// With the retention that is configured.
  public init(database: any Database, configuration: ServiceConfiguration) {
    self.init(database: database, feedRetentionDays: configuration.feedRetentionDays)
  }

  /// Forgets every hour until its task is cancelled. A failure is logged, and tried again an hour
  /// later.
  public func run(logger: Logger) async {
    while !Task.isCancelled {
      do {
        let forgotten = try await forget()
        if forgotten.requests + forgotten.events > 0 {
          logger.info(
            "forgotten",
            metadata: ["requests": "\(forgotten.requests)", "events": "\(forgotten.events)"])
        }
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
    return Forgotten(
      requests: try await database.purgeRequests(
        before: clock.now.addingTimeInterval(-retention)),
      events: try await database.purgeFeed(before: clock.now.addingTimeInterval(-feedRetention)))
  }
}
