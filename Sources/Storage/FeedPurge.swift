internal import Foundation

/// The purge of a feed: from its floor, the position up to which events were purged, to the first
/// younger event.
///
/// An event that is kept below the floor is listed by its entity in `storage_kept`. When the floor
/// passes later events of the same entity, the last of them takes its place, so that at most one
/// event of each entity is kept.
///
/// That is so even if a still later one follows, or if the entity is gone: a consumer that took the
/// earlier one while it caught up, and whose cursor does not expire, would otherwise keep its copy
/// of the entity for ever.
///
/// For each audience the position of the last event is stored that was deleted of its own: a cursor
/// of that audience expires only if such an event was after it.
enum FeedPurge {
  private struct Dated: Sendable {
    let position: Int64
    let entity: String
    let version: Int64
    let audience: String?
    let time: Int64
  }

  private struct Stored: Sendable {
    let position: Int64
    let audience: String?
  }

  /// Purges at most `limit` events. Replies how many it passed and how many it deleted.
  static func step(
    before instant: Date, limit: Int,
    _ currentVersions: @escaping @Sendable ([String]) -> Query<[String: Int64]>
  ) -> Step<(seen: Int, purged: Int)> {
    .read(floor, oldest(limit)) { floor, rows in
      let old = rows.prefix { $0.time < instant.microseconds }
      guard let last = old.last else { return .reply((0, 0)) }
      // Padded, so that there are few statements to prepare.
      let entities = InList.padded(old.map(\.entity))
      return .read(currentVersions(entities), kept(of: entities)) { versions, kept in
        var commit = Commit(at: instant)
        // Fails if another replica has purged the same events in the meantime.
        commit.run(
          """
          INSERT INTO storage_meta (name, value) VALUES ('feed_floor', ?1)
          ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE storage_meta.value = ?2
          """, [last.position, floor], expects: .exactly(1))
        var keeping: [String: Int64] = [:]
        for row in old where versions[row.entity] == row.version || kept[row.entity] != nil {
          keeping[row.entity] = row.position
        }
        let passed = old.filter { keeping[$0.entity] != $0.position }
        let deleted =
          kept.values.sorted { $0.position < $1.position }
          + passed.map { Stored(position: $0.position, audience: $0.audience) }
        for event in deleted {
          commit.run("DELETE FROM storage_outbox WHERE position = ?1", [event.position])
        }
        commit.statements += losses(deleted)
        for (entity, position) in keeping.sorted(by: { $0.value < $1.value }) {
          commit.run(
            """
            INSERT INTO storage_kept (entity, position) VALUES (?1, ?2)
            ON CONFLICT (entity) DO UPDATE SET position = excluded.position
            """, [entity, position], expects: .exactly(1))
        }
        return .commit(commit, (old.count, deleted.count))
      }
    }
  }

  private static let floor = Query<Int64>.one(
    "SELECT coalesce(max(value), 0) AS floor FROM storage_meta WHERE name = 'feed_floor'"
  ) { try $0.integer("floor") }

  private static func oldest(_ limit: Int) -> Query<[Dated]> {
    .all(
      """
      SELECT position, entity, version, audience, time FROM storage_outbox
      WHERE position > (SELECT coalesce(max(value), 0) FROM storage_meta WHERE name = 'feed_floor')
      ORDER BY position LIMIT ?1
      """, [limit]
    ) { row in
      Dated(
        position: try row.integer("position"), entity: try row.text("entity"),
        version: try row.integer("version"), audience: try row.optionalText("audience"),
        time: try row.integer("time"))
    }
  }

  /// Returns the statements that store what each audience loses, of events in order of position.
  private static func losses(_ deleted: [Stored]) -> [Statement] {
    var lost: [String: Int64] = [:]
    for event in deleted {
      if let audience = event.audience { lost[audience] = event.position }
    }
    return lost.sorted { $0.key < $1.key }.map { audience, position in
      Statement(
        """
        INSERT INTO storage_meta (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        WHERE storage_meta.value < excluded.value
        """, [FeedSQL.lost(to: audience), position])
    }
  }

  /// Returns the kept events of those of the entities that have one.
  private static func kept(of entities: [String]) -> Query<[String: Stored]> {
    let list = InList(entities)
    return Query(
      """
      SELECT k.entity, k.position, o.audience FROM storage_kept AS k
      LEFT JOIN storage_outbox AS o ON o.position = k.position WHERE k.entity IN \(list.sql)
      """, list.arguments
    ) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map { row in
          let audience = try row.optionalText("audience")
          let event = Stored(position: try row.integer("position"), audience: audience)
          return (try row.text("entity"), event)
        })
    }
  }
}
