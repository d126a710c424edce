import MembersV1
import Storage

/// A member as far as visits need one: pseudonymous.
struct KnownMember: Sendable, Hashable {
  /// Identifier.
  var id: String
  var group: OccupationGroup
}

/// The SQL of members' codes: hashes only, from the members' feed and from resolved codes.
enum MemberCodeStore {
  /// The members of these codes (SHA-256), as far as they are known here.
  static func members(of hashes: [[UInt8]]) -> Query<[[UInt8]: KnownMember]> {
    let list = InList(hashes)
    return Query(
      """
      SELECT code_sha256, member_id, occupation_group FROM member_code
      WHERE code_sha256 IN \(list.sql)
      """, list.arguments
    ) { rows in
      var members: [[UInt8]: KnownMember] = [:]
      for row in rows {
        members[try row.blob("code_sha256")] = KnownMember(
          id: try row.text("member_id"),
          group: OccupationGroup(rawValue: try row.int32("occupation_group")))
      }
      return members
    }
  }

  /// What the feed says holds.
  static func store(_ member: KnownMember, code: [UInt8], in commit: inout Commit) {
    commit.run(
      """
      INSERT INTO member_code (code_sha256, member_id, occupation_group) VALUES (?1, ?2, ?3)
      ON CONFLICT (code_sha256) DO UPDATE
      SET member_id = excluded.member_id, occupation_group = excluded.occupation_group
      """, [code, member.id, member.group.rawValue], expects: .exactly(1))
  }

  /// Whose code it was is a member no more: visits with it are of nobody known.
  static func forget(code: [UInt8], in commit: inout Commit) {
    commit.run("DELETE FROM member_code WHERE code_sha256 = ?1", [code])
  }

  /// What a call said holds until the feed says otherwise.
  static func remember(_ member: KnownMember, code: [UInt8], in commit: inout Commit) {
    commit.run(
      """
      INSERT INTO member_code (code_sha256, member_id, occupation_group) VALUES (?1, ?2, ?3)
      ON CONFLICT (code_sha256) DO NOTHING
      """, [code, member.id, member.group.rawValue])
  }
}

/// `IN (…)` of a few sizes only, so that few statements are prepared: the last value fills the
/// rest.
struct InList {
  /// The parameters, from `?first` on.
  let sql: String
  let arguments: [any SQLValueConvertible]

  /// - Parameter first: Number of the first parameter.
  init<Value: SQLValueConvertible>(_ values: [Value], first: Int = 1) {
    guard let last = values.last else {
      sql = "(NULL)"
      arguments = []
      return
    }
    let size = [1, 8, 64, 256, 1_024].first { $0 >= values.count } ?? values.count
    arguments = values + Array(repeating: last, count: size - values.count)
    sql = "(" + (first..<first + size).map { "?\($0)" }.joined(separator: ", ") + ")"
  }
}
