import GoogleProtobuf
import MembersV1
import ServiceKit
import StationsV1
import Storage

/// A visit, as stored.
struct StoredVisit: Sendable {
  /// Position in the order in which the point's visits were stored.
  var number: Int64
  var id: String
  var kiosk: String
  var point: String
  var epoch: String
  var sequence: Int64
  var deviceAt: Int64?
  var receivedAt: Int64
  var state: VisitState
  var reason: SetAsideReason
  var direction: Direction
  var services: FacilitySet
  /// Identifier of the member; nil unless matched, and for an erased member.
  var member: String?

  /// The resource of the contract.
  var message: Visit {
    var visit = Visit()
    visit.name = "visits/\(id)"
    visit.kiosk = "kiosks/\(kiosk)"
    visit.point = "points/\(point)"
    visit.spoolEpoch = epoch
    visit.sequence = sequence
    visit.deviceTime = deviceAt.map { Timestamp(microseconds: $0) }
    visit.receiveTime = Timestamp(microseconds: receivedAt)
    visit.state = state
    visit.setAsideReason = reason
    visit.member = member.map { "members/\($0)" } ?? ""
    visit.direction = direction
    visit.servicesUsed = services.facilities
    return visit
  }
}

/// The SQL of visits.
enum VisitStore {
  /// Returns the visits of a point after a number, of one kiosk or of all.
  static func page(
    point: String, kiosk: String?, after number: Int64, limit: Int
  ) -> Query<[StoredVisit]> {
    .all(
      """
      SELECT number, id, kiosk_id, point_id, epoch, sequence, device_at, received_at, state,
        reason, direction, services, member_id
      FROM visit WHERE point_id = ?1 AND number > ?2 AND (?3 = '' OR kiosk_id = ?3)
      ORDER BY number LIMIT ?4
      """, [point, number, kiosk ?? "", limit], decode)
  }

  /// Returns the kiosks of those visits that are stored already, by visit id.
  static func kiosks(ofVisits ids: [String]) -> Query<[String: String]> {
    let list = InList(ids)
    return Query("SELECT id, kiosk_id FROM visit WHERE id IN \(list.sql)", list.arguments) { rows in
      var kiosks: [String: String] = [:]
      for row in rows { kiosks[try row.text("id")] = try row.text("kiosk_id") }
      return kiosks
    }
  }

  /// Returns the reasons of the visits of an epoch that were set aside, within a range of
  /// sequences.
  static func setAside(
    of stream: KioskStream, sequences: ClosedRange<Int64>
  ) -> Query<[(sequence: Int64, reason: SetAsideReason)]> {
    .all(
      """
      SELECT sequence, reason FROM visit
      WHERE kiosk_id = ?1 AND epoch = ?2 AND sequence BETWEEN ?3 AND ?4 AND state = 4
      ORDER BY sequence
      """, [stream.kiosk, stream.epoch, sequences.lowerBound, sequences.upperBound]
    ) { row in
      (try row.integer("sequence"), SetAsideReason(rawValue: try row.int32("reason")))
    }
  }

  /// Returns the number of the point's last visit.
  static func lastNumber(point: String) -> Query<Int64> {
    .one("SELECT last_number FROM visit_tally WHERE point_id = ?1", [point]) {
      try $0.integer("last_number")
    }
  }

  /// Inserts visits with numbers after `last`, guarded by `last` being the point's last number.
  static func insert(
    _ taken: [VisitBatch.Taken], of stream: KioskStream, after last: Int64, at now: Int64,
    into commit: inout Commit
  ) {
    guard !taken.isEmpty else { return }
    commit.run(
      "UPDATE visit_tally SET last_number = ?2 WHERE point_id = ?1 AND last_number = ?3",
      [stream.point, last + Int64(taken.count), last], expects: .exactly(1))
    for (index, entry) in taken.enumerated() {
      let visit = entry.visit
      commit.run(
        entry.state == .unmatched ? insertUnmatched : insert,
        [
          stream.point, last + Int64(index) + 1, visit.id, stream.kiosk, stream.epoch,
          visit.sequence, visit.deviceAt, now, stream.skewMilliseconds, entry.day,
          entry.state.rawValue, entry.reason.rawValue, visit.direction.rawValue,
          visit.services.bits, visit.codeSHA256, entry.member?.id,
          (entry.member?.group ?? .unspecified).rawValue,
        ], expects: .exactly(1))
    }
  }

  private static let insert = """
    INSERT INTO visit (
      point_id, number, id, kiosk_id, epoch, sequence, device_at, received_at, skew_ms, day,
      state, reason, direction, services, code_sha256, member_id, occupation_group)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    """

  /// Guarded by the code being unknown: the feed may have delivered its member concurrently, and
  /// will not match a visit that was not stored at that time.
  private static let insertUnmatched = """
    INSERT INTO visit (
      point_id, number, id, kiosk_id, epoch, sequence, device_at, received_at, skew_ms, day,
      state, reason, direction, services, code_sha256, member_id, occupation_group)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, CAST(?7 AS BIGINT), ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
      ?17
    WHERE NOT EXISTS (SELECT 1 FROM member_code WHERE code_sha256 = ?15)
    """

  /// A stored visit whose member code was unknown.
  struct Unmatched: Sendable, Hashable {
    var id: String
    var point: String
    var number: Int64
    var day: Int64
    var direction: Direction
    var code: [UInt8]
  }

  /// Returns the unmatched visits with one of these codes (SHA-256).
  static func unmatched(codes: [[UInt8]], limit: Int) -> Query<[Unmatched]> {
    let list = InList(codes, first: 2)
    return .all(
      """
      SELECT id, point_id, number, day, direction, code_sha256 FROM visit
      WHERE state = 2 AND code_sha256 IN \(list.sql) ORDER BY id LIMIT ?1
      """, [limit] + list.arguments, decodeUnmatched)
  }

  /// Returns the unmatched visits whose code is known: two concurrent commits did not see each
  /// other.
  static func leftBehind(limit: Int) -> Query<[Unmatched]> {
    .all(
      """
      SELECT visit.id AS id, point_id, number, day, direction, visit.code_sha256 AS code_sha256
      FROM visit JOIN member_code ON member_code.code_sha256 = visit.code_sha256
      WHERE visit.state = 2 ORDER BY visit.id LIMIT ?1
      """, [limit], decodeUnmatched)
  }

  /// Matches a visit to its member, guarded by its being unmatched. The key is its number at its
  /// point: on PostgreSQL, two points may concurrently have stored visits with the same id, while
  /// the number is unique.
  static func match(_ visit: Unmatched, to member: KnownMember, in commit: inout Commit) {
    commit.run(
      """
      UPDATE visit SET state = 1, member_id = ?3, occupation_group = ?4
      WHERE point_id = ?1 AND number = ?2 AND state = 2
      """, [visit.point, visit.number, member.id, member.group.rawValue], expects: .exactly(1))
  }

  private static func decodeUnmatched(_ row: Row) throws -> Unmatched {
    Unmatched(
      id: try row.text("id"), point: try row.text("point_id"), number: try row.integer("number"),
      day: try row.integer("day"), direction: Direction(rawValue: try row.int32("direction")),
      code: try row.blob("code_sha256"))
  }

  private static func decode(_ row: Row) throws -> StoredVisit {
    StoredVisit(
      number: try row.integer("number"), id: try row.text("id"), kiosk: try row.text("kiosk_id"),
      point: try row.text("point_id"), epoch: try row.text("epoch"),
      sequence: try row.integer("sequence"), deviceAt: try row.optionalInteger("device_at"),
      receivedAt: try row.integer("received_at"),
      state: VisitState(rawValue: try row.int32("state")),
      reason: SetAsideReason(rawValue: try row.int32("reason")),
      direction: Direction(rawValue: try row.int32("direction")),
      services: FacilitySet(bits: try row.integer("services")),
      member: try row.optionalText("member_id")
        .flatMap { ErasedMemberStore.isMask($0) ? nil : $0 })
  }
}
