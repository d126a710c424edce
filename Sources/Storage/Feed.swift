public import Foundation

/// A position in one feed: all events up to and including it were consumed.
///
/// The epoch identifies the feed's history. A store restored from a backup gets a new epoch, so
/// that consumers detect positions that were assigned twice.
public struct FeedCursor: Sendable, Hashable {
  /// The epoch of the feed; 0 for the beginning, of any epoch.
  public let epoch: Int64
  /// The position of the last consumed event.
  public let position: Int64

  public init(epoch: Int64, position: Int64) {
    self.epoch = epoch
    self.position = position
  }

  /// Before the first event.
  public static let start = FeedCursor(epoch: 0, position: 0)

  /// The cursor as text for API contracts: `epoch.position`, in hexadecimal and decimal.
  public var text: String { "\(String(epoch, radix: 16)).\(position)" }

  /// Parses `text`; the empty string is the start.
  ///
  /// - Throws: `StorageError.foreignCursor` if the text is malformed.
  public init(text: String) throws(StorageError) {
    if text.isEmpty {
      self = .start
      return
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let epoch = Int64(parts[0], radix: 16), epoch >= 0,
      let position = Int64(parts[1]), position >= 0
    else { throw .foreignCursor }
    self.init(epoch: epoch, position: position)
  }
}

/// An event with its position in the feed.
public struct FeedEvent: Sendable, Hashable {
  /// The cursor after this event.
  public let cursor: FeedCursor
  /// The resource name of the changed entity.
  public let entity: String
  /// The entity's version after the change.
  public let version: Int64
  /// The kind of the event, e.g. `member.admitted`.
  public let kind: String
  /// The serialized event message.
  public let payload: [UInt8]
  /// The reader allowed to see the event besides the suite's own services.
  public let audience: String?
  /// The instant of the decision.
  public let time: Date

  public init(
    cursor: FeedCursor, entity: String, version: Int64, kind: String, payload: [UInt8],
    audience: String?, time: Date
  ) {
    self.cursor = cursor
    self.entity = entity
    self.version = version
    self.kind = kind
    self.payload = payload
    self.audience = audience
    self.time = time
  }
}

extension Database {
  /// Returns the events after a cursor in feed order: the versions of one entity are in ascending
  /// order.
  ///
  /// - Parameters:
  ///   - limit: The maximum number of events, capped at `Limits.eventsPerRead`.
  ///   - audience: Restricts the result to events visible to this audience; `nil` for all events.
  /// - Throws: `StorageError.foreignCursor`, `.expiredCursor`.
  public func feed(
    after cursor: FeedCursor, limit: Int = Limits.eventsPerRead, audience: String? = nil
  ) async throws -> [FeedEvent] {
    let limit = max(0, min(limit, Limits.eventsPerRead))
    let (state, events) = try await read(
      FeedSQL.state, FeedSQL.page(after: cursor.position, limit: limit, audience: audience))
    try state.check(cursor)
    return events.map { $0.event(epoch: state.epoch) }
  }

  /// Returns the position of the last event, for consumers that want new events only.
  public func feedEnd() async throws -> FeedCursor {
    let state = try await read(FeedSQL.state)
    return FeedCursor(epoch: state.epoch, position: max(state.last, state.floor))
  }

  /// Returns the events after a cursor, then each new one as it is committed. Ends when the store
  /// closes or the task is canceled.
  public func follow(after cursor: FeedCursor, audience: String? = nil) -> FeedFollower {
    FeedFollower(database: self, cursor: cursor, audience: audience)
  }

  /// Deletes the events before an instant; cursors before them expire. The event that holds the
  /// current state of an entity is kept, so that a consumer that starts over reaches the same state
  /// as one that never lagged.
  ///
  /// - Parameter currentVersions: Returns the current versions of those of the given entities whose
  ///   last event is kept.
  /// - Returns: The number of deleted events.
  public func purgeFeed(
    before instant: Date,
    keepingLast currentVersions: @escaping @Sendable ([String]) -> Query<[String: Int64]> = { _ in
      .constant([:])
    }
  ) async throws -> Int {
    var purged = 0
    while true {
      let (seen, count) = try await write {
        FeedSQL.purge(before: instant, limit: Limits.rowsPerPurge, currentVersions)
      }
      purged += count
      if seen < Limits.rowsPerPurge { return purged }
    }
  }
}

/// An unbounded sequence of feed events: see `Database.follow`.
public struct FeedFollower: AsyncSequence, Sendable {
  public typealias Element = FeedEvent
  let database: any Database
  let cursor: FeedCursor
  let audience: String?

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(follower: self, wakes: database.feedChanges().makeAsyncIterator())
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    private let follower: FeedFollower
    private var wakes: AsyncStream<Void>.AsyncIterator
    private var cursor: FeedCursor
    private var events: [FeedEvent] = []
    private var index = 0

    init(follower: FeedFollower, wakes: AsyncStream<Void>.AsyncIterator) {
      self.follower = follower
      self.wakes = wakes
      cursor = follower.cursor
    }

    public mutating func next() async throws -> FeedEvent? {
      while index == events.count {
        // A full page may be followed by more; after a short one, more only comes with a commit.
        if events.count < Limits.eventsPerRead {
          guard await wakes.next() != nil else { return try await end() }
        }
        events = try await follower.database.feed(after: cursor, audience: follower.audience)
        index = 0
      }
      defer { index += 1 }
      cursor = events[index].cursor
      return events[index]
    }

    /// Handles the end of the wake-ups: returns `nil` after a requested end, throws the store's
    /// failure otherwise.
    private func end() async throws -> FeedEvent? {
      if Task.isCancelled { return nil }
      do {
        _ = try await follower.database.feedEnd()
        return nil
      } catch StorageError.closed {
        return nil
      }
    }
  }
}

/// The feed's queries on the engine-owned tables, identical for both engines.
enum FeedSQL {
  /// The feed's epoch and bounds.
  struct State: Sendable {
    let epoch: Int64
    /// The position up to which events were purged.
    let floor: Int64
    /// The highest stored position; 0 if there is none.
    let last: Int64

    func check(_ cursor: FeedCursor) throws(StorageError) {
      if cursor == .start {
        // The start stands for the first event still kept.
        return
      }
      guard cursor.epoch == epoch else { throw .foreignCursor }
      guard cursor.position >= floor else { throw .expiredCursor }
      // A cursor of a lost history: its position will be assigned again.
      guard cursor.position <= max(last, floor) else { throw .foreignCursor }
    }
  }

  struct Stored: Sendable {
    let position: Int64
    let row: FeedEvent

    func event(epoch: Int64) -> FeedEvent {
      FeedEvent(
        cursor: FeedCursor(epoch: epoch, position: position), entity: row.entity,
        version: row.version, kind: row.kind, payload: row.payload, audience: row.audience,
        time: row.time)
    }
  }

  static let state = Query<State>.one(
    """
    SELECT max(CASE WHEN name = 'epoch' THEN value END) AS epoch,
           max(CASE WHEN name = 'feed_floor' THEN value END) AS floor,
           (SELECT coalesce(max(position), 0) FROM storage_outbox) AS last
    FROM storage_meta
    """
  ) { row in
    State(
      epoch: try row.integer("epoch"), floor: try row.optionalInteger("floor") ?? 0,
      last: try row.integer("last"))
  }

  static func page(after position: Int64, limit: Int, audience: String?) -> Query<[Stored]> {
    let columns = "position, entity, version, kind, payload, audience, time"
    guard let audience else {
      return .all(
        """
        SELECT \(columns) FROM storage_outbox WHERE position > ?1
        ORDER BY position LIMIT ?2
        """, [position, limit], stored)
    }
    return .all(
      """
      SELECT \(columns) FROM storage_outbox WHERE position > ?1 AND audience = ?3
      ORDER BY position LIMIT ?2
      """, [position, limit, audience], stored)
  }

  @Sendable static func stored(_ row: Row) throws -> Stored {
    let position = try row.integer("position")
    return Stored(
      position: position,
      row: FeedEvent(
        cursor: .start, entity: try row.text("entity"), version: try row.integer("version"),
        kind: try row.text("kind"), payload: try row.blob("payload"),
        audience: try row.optionalText("audience"), time: try row.instant("time")))
  }

  /// Purges from the last purged position up to the first younger event, at most `limit` events.
  static func purge(
    before instant: Date, limit: Int,
    _ currentVersions: @escaping @Sendable ([String]) -> Query<[String: Int64]>
  ) -> Step<(seen: Int, purged: Int)> {
    let oldest = Query<[Dated]>.all(
      """
      SELECT position, entity, version, time FROM storage_outbox
      WHERE position > (SELECT coalesce(max(value), 0) FROM storage_meta WHERE name = 'feed_floor')
      ORDER BY position LIMIT ?1
      """, [limit]
    ) { row in
      Dated(
        position: try row.integer("position"), entity: try row.text("entity"),
        version: try row.integer("version"), time: try row.integer("time"))
    }
    return .read(oldest) { rows in
      let old = rows.prefix { $0.time < instant.microseconds }
      guard let last = old.last else { return .reply((0, 0)) }
      // Padded, so that there are few statements to prepare.
      return .read(currentVersions(InList.padded(old.map(\.entity)))) { versions in
        var commit = Commit(at: instant)
        let purged = old.filter { versions[$0.entity] != $0.version }
        for row in purged {
          commit.run("DELETE FROM storage_outbox WHERE position = ?1", [row.position])
        }
        commit.run(
          """
          INSERT INTO storage_meta (name, value) VALUES ('feed_floor', ?1)
          ON CONFLICT (name) DO UPDATE SET value = excluded.value
          WHERE storage_meta.value < excluded.value
          """, [last.position])
        return .commit(commit, (old.count, purged.count))
      }
    }
  }

  private struct Dated: Sendable {
    let position: Int64
    let entity: String
    let version: Int64
    let time: Int64
  }
}
