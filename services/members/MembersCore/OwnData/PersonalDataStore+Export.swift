import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// The SQL of what only an export reads.
extension PersonalDataStore {
  /// Returns the log of a pool case, oldest entry first.
  static func entries(ofPoolCase id: String) -> Query<[PersonalPoolCaseEntry]> {
    .all(
      """
      SELECT case_id, version, action, state, custodian_id, receiver_id, due_day, created
      FROM pool_case_log WHERE case_id = ?1 ORDER BY version
      """, [id]
    ) { row in
      var entry = PersonalPoolCaseEntry()
      entry.poolCase = "poolCases/\(try row.text("case_id"))"
      entry.version = try row.integer("version")
      entry.action = try row.text("action")
      entry.state = PoolCaseState(rawValue: try row.int32("state"))
      entry.custodian = "organizations/\(try row.text("custodian_id"))"
      entry.receiver = try row.optionalText("receiver_id").map { "organizations/\($0)" } ?? ""
      entry.dueDate = .day(try row.int("due_day"))
      entry.createTime = Timestamp(microseconds: try row.integer("created"))
      return entry
    }
  }

  /// Returns a member's records of refresh rounds.
  static func refreshRecords(of member: String) -> Query<[PersonalRefreshRecord]> {
    .all(
      """
      SELECT r.round_id, r.member_id, r.state, r.day, m.member_number FROM refresh_records AS r
      JOIN memberships AS m ON m.id = r.member_id WHERE r.member_id = ?1 ORDER BY r.round_id
      """, [member]
    ) { row in
      let record = StoredRefreshRecord(
        memberID: try row.text("member_id"), number: try row.text("member_number"),
        state: RefreshState(rawValue: try row.int32("state")), day: try row.int("day"))
      var message = PersonalRefreshRecord()
      message.round = "refreshRounds/\(try row.text("round_id"))"
      message.record = record.message
      return message
    }
  }

  /// Returns the day on which a member's data were last confirmed.
  static func confirmDay(of member: String) -> Query<Int?> {
    .first("SELECT day FROM confirmations WHERE member_id = ?1", [member]) { try $0.int("day") }
  }

  /// Returns the unit in which a member is counted.
  static func unit(of member: String) -> Query<String?> {
    .first("SELECT unit_id FROM unit_members WHERE member_id = ?1", [member]) {
      try $0.text("unit_id")
    }
  }

  /// Returns the possible duplicates of a person, without the others.
  static func duplicates(of person: String) -> Query<[PersonalDuplicate]> {
    .all(
      """
      SELECT id, kind, state, created FROM duplicate_cases WHERE person_id = ?1
      UNION ALL
      SELECT id, kind, state, created FROM duplicate_cases WHERE other_person_id = ?1
      ORDER BY created, id
      """, [person]
    ) { row in
      var message = PersonalDuplicate()
      message.name = "duplicates/\(try row.text("id"))"
      let kind = DuplicateCase.Kind(rawValue: try row.text("kind"))
      message.kind = kind == .phone ? .phone : .nameAndBirthDate
      message.state = DuplicateState(word: try row.text("state"))
      message.createTime = Timestamp(microseconds: try row.integer("created"))
      return message
    }
  }

  /// Returns the merges of a member's record, current and undone.
  static func merges(of member: String) -> Query<[PersonalMerge]> {
    .all(
      """
      SELECT survivor_id, merged_id, former_state, join_day, created, undone FROM merges
      WHERE survivor_id = ?1 OR merged_id = ?1 ORDER BY created, id
      """, [member]
    ) { row in
      var message = PersonalMerge()
      message.survivor = "members/\(try row.text("survivor_id"))"
      message.merged = "members/\(try row.text("merged_id"))"
      message.formerState = MembershipState(rawValue: try row.int32("former_state"))
      message.formerJoinDate = .day(try row.int("join_day"))
      message.createTime = Timestamp(microseconds: try row.integer("created"))
      message.undoTime = try row.optionalInteger("undone").map { Timestamp(microseconds: $0) }
      return message
    }
  }
}
