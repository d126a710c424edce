import MembersV1
import Storage

/// What visits store of a member: pseudonymous.
struct KnownMember: Sendable, Hashable {
  /// Identifier of the member.
  var id: String
  var group: OccupationGroup
}

/// The SQL of member codes: hashes only, from the members' feed and from resolved codes.
enum MemberCodeStore {
  /// Returns the members of these codes (SHA-256) that are known here.
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

  /// Stores what the feed states, replacing an earlier entry.
  static func store(_ member: KnownMember, code: [UInt8], in commit: inout Commit) {
    commit.run(
      """
      INSERT INTO member_code (code_sha256, member_id, occupation_group) VALUES (?1, ?2, ?3)
      ON CONFLICT (code_sha256) DO UPDATE
      SET member_id = excluded.member_id, occupation_group = excluded.occupation_group
      """, [code, member.id, member.group.rawValue], expects: .exactly(1))
  }

  /// Deletes the codes of people who are not members any more: later visits with them stay
  /// unmatched.
  static func forget(_ codes: [[UInt8]], in commit: inout Commit) {
    guard !codes.isEmpty else { return }
    let list = InList(codes)
    commit.run("DELETE FROM member_code WHERE code_sha256 IN \(list.sql)", list.arguments)
  }

  /// Stores the result of a call unless there is an entry: the feed takes precedence.
  static func remember(_ member: KnownMember, code: [UInt8], in commit: inout Commit) {
    commit.run(
      """
      INSERT INTO member_code (code_sha256, member_id, occupation_group) VALUES (?1, ?2, ?3)
      ON CONFLICT (code_sha256) DO NOTHING
      """, [code, member.id, member.group.rawValue])
  }

  /// Returns the codes of the records that are merged into these ones, with the surviving record.
  static func merged(into survivors: [String]) -> Query<[[UInt8]: String]> {
    let list = InList(survivors)
    return Query(
      "SELECT code_sha256, survivor_id FROM merged_code WHERE survivor_id IN \(list.sql)",
      list.arguments
    ) { rows in
      var codes: [[UInt8]: String] = [:]
      for row in rows { codes[try row.blob("code_sha256")] = try row.text("survivor_id") }
      return codes
    }
  }

  /// Stores into which record the record of each code is merged; `nil` for one that is not merged.
  static func storeSurvivors(_ survivors: [[UInt8]: String?], in commit: inout Commit) {
    for case (let code, let survivor?) in survivors {
      commit.run(
        """
        INSERT INTO merged_code (code_sha256, survivor_id) VALUES (?1, ?2)
        ON CONFLICT (code_sha256) DO UPDATE SET survivor_id = excluded.survivor_id
        """, [code, survivor], expects: .exactly(1))
    }
    let list = InList(survivors.filter { $0.value == nil }.map(\.key))
    commit.run("DELETE FROM merged_code WHERE code_sha256 IN \(list.sql)", list.arguments)
  }
}
