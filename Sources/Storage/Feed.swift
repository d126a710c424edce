public import Foundation

/// A place in one feed: every event at or before it was seen.
///
/// The epoch names the feed's history: a store restored from a backup gets a new one, so that a
/// consumer notices that positions were given out twice.
public struct FeedCursor: Sendable, Hashable {
  /// Zero: from the beginning, of whatever history.
  public let epoch: Int64
  public let position: Int64

  public init(epoch: Int64, position: Int64) {
    self.epoch = epoch
    self.position = position
  }

  /// Before the first event.
  public static let start = FeedCursor(epoch: 0, position: 0)

  /// The cursor as text, for contracts: `epoch.position`, hex and decimal.
  public var text: String { "\(String(epoch, radix: 16)).\(position)" }

  /// Reads `text`; empty text is the start.
  ///
  /// - Throws: `StorageError.foreignCursor` when it is none.
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

/// An event in its place in the feed.
public struct FeedEvent: Sendable, Hashable {
  public let cursor: FeedCursor
  public let entity: String
  public let version: Int64
  public let kind: String
  public let payload: [UInt8]
  public let audience: String?
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
  /// The events after a cursor, in the feed's order: of one entity, a version never comes before an
  /// earlier one.
  ///
  /// - Parameters:
  ///   - limit: at most so many, and at most `Limits.eventsPerRead`.
  ///   - audience: only what this audience may see; `nil` is everything.
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

  /// The place after the last event: where a consumer starts that wants only what comes.
  public func feedEnd() async throws -> FeedCursor {
    let state = try await read(FeedSQL.state)
    return FeedCursor(epoch: state.epoch, position: max(state.last, state.floor))
  }

  /// The events after a cursor, and then each new one as it is committed, without end. It ends when
  /// the store closes or its task is cancelled.
  public func follow(after cursor: FeedCursor, audience: String? = nil) -> FeedFollower {
    FeedFollower(database: self, cursor: cursor, audience: audience)
  }

  /// Deletes the events before an instant; cursors before them expire. What says how an entity is
  /// now stays, so that a consumer that begins anew comes to the same state as one that never
  /// lagged.
  ///
  /// - Parameter currentVersions: the versions of those of the entities whose last event stays.
  /// - Returns: how many went.
  public func purgeFeed(
    before instant: Date,
    keepingLast currentVersions: @escaping @Sendable ([String]) -> Query<[String: Int64]> = { _ in
      .init("SELECT name FROM storage_meta LIMIT 0") { _ in [:] }
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

/// A feed that waits for what comes: see `Database.follow`.
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
        // A full page may have more behind it; after a short one only a commit brings more.
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

    /// There are no more wakes: an end that was asked for is quiet, a store's failure is thrown.
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

/// The feed's queries over the engine-owned tables, the same on both engines.
enum FeedSQL {
  struct State: Sendable {
    let epoch: Int64
    /// The position up to which events were purged.
    let floor: Int64
    /// The last position that was given out, as far as is known.
    let last: Int64

    func check(_ cursor: FeedCursor) throws(StorageError) {
      if cursor == .start {
        // "From the beginning" means from what is still kept.
        return
      }
      guard cursor.epoch == epoch else { throw .foreignCursor }
      guard cursor.position >= floor else { throw .expiredCursor }
      // Of a history that was lost: its place will be given out again.
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

  /// Goes on behind the last purge, up to the first event that is younger, at most `limit`.
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
      let old = rows.prefix { $0.time < instant.microsecondsSince1970 }
      guard let last = old.last else { return .reply((0, 0)) }
      let entities = old.map(\.entity)
      // As many as there may be, so that there is one statement.
      let padded = entities + Array(repeating: "", count: limit - entities.count)
      return .read(currentVersions(padded)) { versions in
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
