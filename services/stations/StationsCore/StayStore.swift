import Storage

/// The SQL of stays: one row per arrival without a departure.
enum StayStore {
  /// The number of people present, and the start of the oldest stay.
  struct Presence: Sendable, Hashable {
    var present: Int
    /// Microseconds since 1970; nil where nobody is present.
    var oldestArrival: Int64?
  }

  /// Returns the presence, counting stays that began after `since`.
  static func presence(point: String, since: Int64) -> Query<Presence> {
    .one(
      """
      SELECT count(*) AS present, min(arrived_at) AS oldest
      FROM stay WHERE point_id = ?1 AND arrived_at > ?2
      """, [point, since]
    ) { row in
      Presence(
        present: try row.int("present"), oldestArrival: try row.optionalInteger("oldest"))
    }
  }

  /// Returns the point's stays, oldest first.
  static func all(point: String) -> Query<[Stay]> {
    .all(
      """
      SELECT visit_id, code_sha256, arrived_at FROM stay
      WHERE point_id = ?1 ORDER BY arrived_at, visit_id
      """, [point]
    ) { row in
      Stay(
        visit: try row.text("visit_id"), code: try row.optionalBlob("code_sha256"),
        arrivedAt: try row.integer("arrived_at"))
    }
  }

  /// Stores the changes of a batch and deletes stays that ended long ago.
  static func apply(
    _ changes: StayChanges, point: String, dropBefore: Int64, in commit: inout Commit
  ) {
    for visit in changes.closed {
      commit.run("DELETE FROM stay WHERE visit_id = ?1", [visit], expects: .exactly(1))
    }
    for stay in changes.opened {
      commit.run(
        """
        INSERT INTO stay (visit_id, point_id, code_sha256, arrived_at) VALUES (?1, ?2, ?3, ?4)
        """, [stay.visit, point, stay.code, stay.arrivedAt], expects: .exactly(1))
    }
    guard !changes.opened.isEmpty else { return }
    commit.run(
      "DELETE FROM stay WHERE point_id = ?1 AND arrived_at <= ?2", [point, dropBefore])
  }
}
