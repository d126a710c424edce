import MembersV1
import ServiceKit
import Storage

/// An honor as stored.
struct StoredHonor: Sendable, Hashable {
  var sourceEvent: String
  var memberID: String
  var title: String
  /// The day in days since 1970-01-01.
  var day: Int
  var isRevoked: Bool
  var version: Int64

  var message: Honor {
    var message = Honor()
    message.member = "members/\(memberID)"
    message.sourceEvent = sourceEvent
    message.title = title
    message.date = .day(day)
    message.revoked = isRevoked
    return message
  }
}

/// The SQL of honors.
enum HonorStore {
  private static let selection =
    "SELECT source_event, member_id, title, day, revoked, version FROM honors"

  static func byEvent(_ event: String) -> Query<StoredHonor?> {
    .first("\(selection) WHERE source_event = ?1", [event], stored)
  }

  /// Returns the honors of a member and of the records merged into theirs, by day, after a place.
  static func of(
    _ member: String, after: ListPlace = start, limit: Int
  ) -> Query<[StoredHonor]> {
    .all(
      """
      \(selection) WHERE (member_id = ?3 OR member_id IN (
        SELECT merged_id FROM merges WHERE survivor_id = ?3 AND undone IS NULL))
        AND (day, source_event) > (?1, ?2)
      ORDER BY day, source_event LIMIT ?4
      """, after.values + [member, limit], stored)
  }

  /// The place before every honor, also one from before 1970.
  static let start = ListPlace(number: .min, id: "")

  static func set(_ honor: StoredHonor) -> Statement {
    Statement(
      """
      INSERT INTO honors (source_event, member_id, title, day, revoked, version)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      ON CONFLICT (source_event) DO UPDATE SET
        revoked = excluded.revoked, version = excluded.version
      WHERE honors.version = excluded.version - 1
      """,
      [
        honor.sourceEvent, honor.memberID, honor.title, honor.day, honor.isRevoked,
        honor.version,
      ], expects: .exactly(1))
  }

  @Sendable private static func stored(_ row: Row) throws -> StoredHonor {
    StoredHonor(
      sourceEvent: try row.text("source_event"), memberID: try row.text("member_id"),
      title: try row.text("title"), day: try row.int("day"),
      isRevoked: try row.boolean("revoked"), version: try row.integer("version"))
  }
}
