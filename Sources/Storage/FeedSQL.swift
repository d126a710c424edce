internal import Foundation

/// The feed's queries on the engine-owned tables, identical for both engines.
enum FeedSQL {
  /// The feed's epoch and bounds.
  struct State: Sendable {
    let epoch: Int64
    /// The position up to which events were purged.
    let floor: Int64
    /// The position of the last event deleted of those that the reader would have received; the
    /// floor for a reader of all events.
    let lost: Int64
    /// The highest stored position; 0 if there is none.
    let last: Int64

    func check(_ cursor: FeedCursor) throws(StorageError) {
      if cursor == .start {
        // The start stands for the first event still kept.
        return
      }
      guard cursor.epoch == epoch else { throw .foreignCursor }
      guard cursor.position >= lost || cursor.isCatchingUp else { throw .expiredCursor }
      // A cursor of a lost history: its position will be assigned again.
      guard cursor.position <= max(last, floor) else { throw .foreignCursor }
    }
  }

  struct Stored: Sendable {
    let position: Int64
    let row: FeedEvent

    /// - Parameter next: The next event for the same reader, if there is one.
    func event(in state: State, before next: Stored?) -> FeedEvent {
      let isCatchingUp = next.map { $0.position <= state.floor } ?? false
      // After the last kept event, all that was purged is behind the consumer, too.
      let cursor = FeedCursor(
        epoch: state.epoch, position: isCatchingUp ? position : max(position, state.floor),
        isCatchingUp: isCatchingUp)
      return FeedEvent(
        cursor: cursor, entity: row.entity, version: row.version, kind: row.kind,
        payload: row.payload, audience: row.audience, time: row.time)
    }
  }

  /// The name under which the position of the last event that an audience lost is stored.
  static func lost(to audience: String) -> String { "feed_lost \(audience)" }

  /// - Parameter audience: The reader; `nil` for a reader of all events.
  static func state(for audience: String?) -> Query<State> {
    .one(
      """
      SELECT max(CASE WHEN name = 'epoch' THEN value END) AS epoch,
             max(CASE WHEN name = 'feed_floor' THEN value END) AS floor,
             max(CASE WHEN name = ?1 THEN value END) AS lost,
             max(CASE WHEN name = 'feed_lost' THEN value END) AS lost_before,
             (SELECT coalesce(max(position), 0) FROM storage_outbox) AS last
      FROM storage_meta
      """, [audience.map(lost(to:)) ?? "feed_floor"]
    ) { row in
      State(
        epoch: try row.integer("epoch"), floor: try row.optionalInteger("floor") ?? 0,
        lost: try row.optionalInteger("lost") ?? row.optionalInteger("lost_before") ?? 0,
        last: try row.integer("last"))
    }
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
}
