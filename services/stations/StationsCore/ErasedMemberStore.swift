import Foundation
import ServiceKit
import Storage

/// A member whose personal data were erased.
struct ErasedMember: Sendable, Hashable {
  /// Identifier.
  var id: String
  /// SHA-256 of the member's own code.
  var code: [UInt8]
}

/// The SQL of erased members. Their visits of one day at one point cannot be linked to any other
/// visits; the daily counters do not change.
///
/// The tombstones are kept, so that visits stored during an erasure are found later.
enum ErasedMemberStore {
  /// Members per page.
  private static let membersPerPage = 256
  /// Days masked per commit.
  static let daysPerCommit = 500

  static func page(after id: String) -> Query<[ErasedMember]> {
    .all(
      """
      SELECT member_id, code_sha256 FROM erased_member WHERE member_id > ?1
      ORDER BY member_id LIMIT ?2
      """, [id, membersPerPage]
    ) { row in
      ErasedMember(id: try row.text("member_id"), code: try row.blob("code_sha256"))
    }
  }

  static func store(_ member: ErasedMember, in commit: inout Commit) {
    commit.run(
      """
      INSERT INTO erased_member (member_id, code_sha256) VALUES (?1, ?2)
      ON CONFLICT (member_id) DO NOTHING
      """, [member.id, member.code])
  }

  /// Forgets members, as far as one commit allows.
  ///
  /// - Returns: The number of masked days; fewer than `limit` means that none is left.
  static func forget(_ members: [ErasedMember], limit: Int, at now: Date) -> Step<Int> {
    .read(days(of: members.map(\.id), limit: limit)) { days in
      var commit = Commit(at: now)
      forget(members, in: &commit)
      for day in days { mask(day, in: &commit) }
      if !days.isEmpty {
        commit.record(
          AuditEntry(
            actor: "services/members", action: "stations.forget_members", target: "visits",
            detail: Array("\(days.count)".utf8)))
      }
      return .commit(commit, days.count)
    }
  }

  /// The visits of a member at a point on a day.
  private struct Day: Sendable {
    var point: String
    var day: Int64
    var member: String
    /// Number of the first of them.
    var number: Int64
  }

  private static func days(of members: [String], limit: Int) -> Query<[Day]> {
    let list = InList(members, first: 2)
    return .all(
      """
      SELECT point_id, day, member_id, min(number) AS number FROM visit
      WHERE member_id IN \(list.sql)
      GROUP BY point_id, day, member_id ORDER BY point_id, day, member_id LIMIT ?1
      """, [limit] + list.arguments
    ) { row in
      Day(
        point: try row.text("point_id"), day: try row.integer("day"),
        member: try row.text("member_id"), number: try row.integer("number"))
    }
  }

  /// Replaces the member in the day's visits with a mask that is used for this point and day only,
  /// so that a recount finds the same number of people.
  private static func mask(_ day: Day, in commit: inout Commit) {
    commit.run(
      """
      UPDATE visit SET code_sha256 = NULL, member_id = ?4
      WHERE member_id = ?3 AND point_id = ?1 AND day = ?2
      """, [day.point, day.day, day.member, maskPrefix + "\(day.number)"])
  }

  private static let maskPrefix = "-"

  /// Whether a visit's member is a mask.
  static func isMask(_ member: String) -> Bool { member.hasPrefix(maskPrefix) }

  /// Forgets members everywhere but in matched visits.
  private static func forget(_ members: [ErasedMember], in commit: inout Commit) {
    let codes = members.map(\.code)
    MemberCodeStore.forget(codes, in: &commit)
    let list = InList(codes)
    // UNMATCHED and SET_ASIDE; each state has an index of its own.
    for state in [2, 4] {
      commit.run(
        """
        UPDATE visit SET code_sha256 = NULL WHERE state = \(state) AND code_sha256 IN \(list.sql)
        """, list.arguments)
    }
    commit.run(
      "UPDATE stay SET code_sha256 = NULL WHERE code_sha256 IN \(list.sql)", list.arguments)
    let ids = InList(members.map(\.id))
    commit.run("DELETE FROM visit_day_member WHERE member_id IN \(ids.sql)", ids.arguments)
  }
}
