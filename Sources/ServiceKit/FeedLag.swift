import Foundation
import Metrics
public import Storage
import Synchronization

/// How far the consumers of a service's feed are behind, as its replicas see it: gauges
/// `feed_lag_events` and `feed_lag_seconds` a consumer, on the admin port's metrics.
///
/// A consumer is where the last event was that it was sent, or where it began; one that went away
/// falls behind from there. The places are stored, so that every replica shows every consumer,
/// after a restart too. Safe to use from any task.
public final class FeedLag: Sendable {
  /// Often enough for an alarm.
  private static let interval = Duration.seconds(10)
  /// Services of the suite; more are a mistake.
  private static let consumersMax = 64
  /// How long a consumer is shown that is not seen any more. Its cursor expires before.
  private static let absence: TimeInterval = 100 * 86_400
  /// Before the names under which the places are stored.
  private static let prefix = "feed-reader/"

  private let database: any Database
  private let clock: Clock
  private let places = Mutex<[String: FeedCursor]>([:])
  /// The places as this process stored them.
  private let stored = Mutex<[String: FeedCursor]>([:])

  /// - Parameter database: The store whose feed is read; it also keeps the consumers' places.
  public init(database: any Database, clock: Clock) {
    self.database = database
    self.clock = clock
  }

  /// A consumer has come so far.
  public func note(_ consumer: String, at cursor: FeedCursor) {
    places.withLock { places in
      guard places[consumer] != nil || places.count < Self.consumersMax else { return }
      places[consumer] = cursor
    }
  }

  /// A consumer's distance from the feed's end.
  public struct Distance: Sendable, Hashable {
    /// Events that it was not sent yet; purged ones count.
    public let events: Int64
    /// Age of the oldest of them.
    public let seconds: Double
  }

  /// Stores the places that changed.
  private func store() async throws {
    let places = places.withLock { $0 }
    let known = stored.withLock { $0 }
    let changed = places.filter { known[$0.key] != $0.value }.sorted { $0.key < $1.key }
    if changed.isEmpty { return }
    let now = clock.now
    try await database.write(
      Commit(
        at: now,
        statements: changed.map { EventConsumer(Self.prefix + $0.key).reset(to: $0.value, at: now) }
      ))
    stored.withLock { $0 = places }
  }

  /// Stores the changed places, measures all, and sets the gauges.
  ///
  /// - Throws: `StorageError`.
  @discardableResult
  public func refresh() async throws -> [String: Distance] {
    try await store()
    let places = try await database.read(
      Query<[(name: String, place: FeedCursor)]>.all(
        """
        SELECT consumer, epoch, position FROM storage_consumer
        WHERE substr(consumer, 1, \(Self.prefix.count)) = ?1 AND time > ?2
        ORDER BY time DESC LIMIT \(Self.consumersMax)
        """, [Self.prefix, clock.now.addingTimeInterval(-Self.absence)]
      ) { row in
        (
          String(try row.text("consumer").dropFirst(Self.prefix.count)),
          FeedCursor(epoch: try row.integer("epoch"), position: try row.integer("position"))
        )
      })
    if places.isEmpty { return [:] }
    let end = try await database.feedEnd()
    var distances: [String: Distance] = [:]
    for (consumer, place) in places {
      let isForeign = place != .start && place.epoch != end.epoch
      let position = isForeign ? 0 : place.position
      let next = try await database.read(
        Query<Date?>.first(
          "SELECT time FROM storage_outbox WHERE position > ?1 ORDER BY position LIMIT 1",
          [position]
        ) { try $0.instant("time") })
      let distance = Distance(
        events: max(0, end.position - position),
        seconds: next.map { max(0, clock.now.timeIntervalSince($0)) } ?? 0)
      distances[consumer] = distance
      let labels = [("consumer", consumer)]
      Gauge(label: "feed.lag.events", dimensions: labels).record(distance.events)
      Gauge(label: "feed.lag.seconds", dimensions: labels).record(distance.seconds)
    }
    return distances
  }

  /// Measures until its task is cancelled; a store that fails is asked again.
  func run() async {
    while !Task.isCancelled {
      _ = try? await refresh()
      // Time itself is meant: the gauges are of now.
      try? await Task.sleep(for: Self.interval)
    }
  }
}
