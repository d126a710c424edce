internal import Foundation

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
      guard cursor.position >= floor || cursor.isCatchingUp else { throw .expiredCursor }
      // A cursor of a lost history: its position will be assigned again.
      guard cursor.position <= max(last, floor) else { throw .foreignCursor }
    }
  }

  struct Stored: Sendable {
    let position: Int64
    let row: FeedEvent

    func event(in state: State) -> FeedEvent {
      let cursor = FeedCursor(
        epoch: state.epoch, position: position, isCatchingUp: position <= state.floor)
      return FeedEvent(
        cursor: cursor, entity: row.entity, version: row.version, kind: row.kind,
        payload: row.payload, audience: row.audience, time: row.time)
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
}
