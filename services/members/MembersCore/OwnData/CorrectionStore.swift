import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// A correction as stored.
struct StoredCorrection: Sendable, Hashable {
  var id: String
  var memberID: String
  var progress: CorrectionProgress
  /// The corrected data, sealed under the person's key; empty after erasure.
  var data: [UInt8]
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64

  /// The correction's message without the data.
  var message: Correction {
    var message = Correction()
    message.name = "corrections/\(id)"
    message.member = "members/\(memberID)"
    message.state = progress.state
    message.createTime = Timestamp(microseconds: created)
    message.etag = Etag.text(version)
    return message
  }

  func openData(_ key: PersonKey) throws -> CorrectedData {
    try CorrectedData(
      wireBytes: key.open(data, table: CorrectionStore.table, column: "data"))
  }
}

/// A correction with its member.
struct PlacedCorrection: Sendable, Hashable {
  var correction: StoredCorrection
  var known: KnownMember
}

/// The SQL of corrections.
enum CorrectionStore {
  static let table = "corrections"

  static func byID(_ id: String) -> Query<PlacedCorrection?> {
    .first("\(selection) WHERE c.id = ?1", [id], placed)
  }

  /// Returns all corrections of a member.
  static func all(of memberID: String) -> Query<[PlacedCorrection]> {
    .all("\(selection) WHERE c.member_id = ?1 ORDER BY c.created, c.id", [memberID], placed)
  }

  /// Returns the open corrections of members.
  static func open(of members: [String]) -> Query<[PlacedCorrection]> {
    let list = InList(members)
    return .all(
      """
      \(selection) WHERE c.id IN (
        SELECT correction_id FROM open_corrections WHERE member_id IN \(list.sql)
      )
      """, list.arguments, placed)
  }

  /// Returns whether a member has an open correction.
  static func isOpen(of memberID: String) -> Query<Bool> {
    .exists("SELECT correction_id FROM open_corrections WHERE member_id = ?1", [memberID])
  }

  private static func condition(_ states: [CorrectionState]) -> String {
    "c.state IN (\(states.map { String($0.rawValue) }.joined(separator: ", ")))"
  }

  /// Returns the rows of a list: only those of one state have an index in the order of lists.
  static func rows(_ states: [CorrectionState]) -> ListRows {
    states.count == 1 ? ListRows(of: "corrections AS c WHERE \(condition(states))") : .unindexed
  }

  /// Returns the place of the correction that follows on some number of others after a place; `nil`
  /// if there are no more than those.
  static func place(
    after: ListPlace, states: [CorrectionState], skipping count: Int
  ) -> Query<ListPlace?> {
    .first(
      """
      SELECT c.created, c.id FROM corrections AS c
      WHERE \(condition(states)) AND (c.created, c.id) > (?1, ?2)
      ORDER BY c.created, c.id LIMIT 1 OFFSET \(count)
      """, after.values
    ) { row in ListPlace(number: try row.integer("created"), id: try row.text("id")) }
  }

  /// Returns a page of a subtree, oldest first; only the corrections before a place, if there is
  /// one.
  static func page(
    of range: PathRange, states: [CorrectionState], by plan: ListPlan, before end: ListPlace?,
    after: ListPlace, limit: Int
  ) -> Query<[PlacedCorrection]> {
    let path = plan.path("o.path")
    // An expression, so that no plan goes by way of all members of an organization.
    let manager = "(m.managing_organization_id || '')"
    return .all(
      """
      \(columns) FROM \(plan.tables("corrections AS c")) \(member)
      WHERE c.organization_id = o.id AND \(manager) = o.id
        AND \(path) >= ?4 AND \(path) < ?5
        AND \(condition(states)) AND (c.created, c.id) > (?1, ?2)
        \(end == nil ? "" : "AND (c.created, c.id) < (?6, ?7)")
      ORDER BY c.created, c.id LIMIT ?3
      """, after.values + [limit, range.first, range.end] + (end?.values ?? []), placed)
  }

  /// Returns a page of one member's corrections, oldest first.
  static func page(
    of member: String, states: [CorrectionState], after: ListPlace, limit: Int
  ) -> Query<[PlacedCorrection]> {
    .all(
      """
      \(selection) WHERE c.member_id = ?4 AND \(condition(states))
        AND (c.created, c.id) > (?1, ?2) ORDER BY c.created, c.id LIMIT ?3
      """, after.values + [limit, member], placed)
  }

  /// Returns the statement that makes corrections follow their members, who are managed by another
  /// organization now.
  static func move(_ members: [String], to organizationID: String) -> Statement {
    let list = InList(members, first: 2)
    return Statement(
      "UPDATE corrections SET organization_id = ?1 WHERE member_id IN \(list.sql)",
      [organizationID] + list.arguments)
  }

  /// Inserts a correction as the member's only open one.
  static func insert(_ stored: StoredCorrection, into commit: inout Commit) {
    commit.run(open(stored))
    // Before the organization is read: a concurrent move of the member waits for this commit, and
    // moves the correction too, or this one waits for the move.
    commit.run(
      "UPDATE memberships SET version = version WHERE id = ?1", [stored.memberID],
      expects: .exactly(1))
    commit.run(
      """
      INSERT INTO corrections (id, member_id, state, data, version, created, organization_id)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, (
        SELECT m.managing_organization_id FROM memberships AS m WHERE m.id = ?2))
      """,
      [
        stored.id, stored.memberID, stored.progress.state.rawValue, stored.data, stored.version,
        stored.created,
      ], expects: .exactly(1))
  }

  /// Ends a correction, so that the member may request another one.
  ///
  /// - Parameter stored: The changed correction, with its version incremented.
  static func end(_ stored: StoredCorrection, into commit: inout Commit) {
    commit.run(update(stored))
    commit.run(
      "DELETE FROM open_corrections WHERE member_id = ?1", [stored.memberID],
      expects: .exactly(1))
  }

  /// Opens a cancelled correction again, as the member's only open one.
  ///
  /// - Parameter stored: The changed correction, with its version incremented.
  static func reopen(_ stored: StoredCorrection, into commit: inout Commit) {
    commit.run(update(stored))
    commit.run(open(stored))
  }

  /// A guard that detects a concurrent request of a correction.
  static func noneOpen(of memberID: String) -> Statement {
    Statement(
      "DELETE FROM open_corrections WHERE member_id = ?1", [memberID], expects: .exactly(0))
  }

  private static func update(_ stored: StoredCorrection) -> Statement {
    Statement(
      "UPDATE corrections SET state = ?2, version = ?3 WHERE id = ?1 AND version = ?3 - 1",
      [stored.id, stored.progress.state.rawValue, stored.version], expects: .exactly(1))
  }

  /// Records a member's only open correction.
  private static func open(_ stored: StoredCorrection) -> Statement {
    Statement(
      """
      INSERT INTO open_corrections (member_id, correction_id) VALUES (?1, ?2)
      ON CONFLICT (member_id) DO NOTHING
      """, [stored.memberID, stored.id], expects: .exactly(1))
  }

  private static let columns = """
    SELECT c.id AS correction_id, c.member_id, c.state AS correction_state, c.data, \
    c.version AS correction_version, c.created AS correction_created, \(MemberStore.columns)
    """
  private static let member = """
    JOIN memberships AS m ON m.id = c.member_id JOIN persons AS p ON p.id = m.id
    """
  private static let selection = """
    \(columns) FROM corrections AS c \(member) \
    JOIN organizations AS o ON o.id = m.managing_organization_id
    """

  @Sendable private static func placed(_ row: Row) throws -> PlacedCorrection {
    PlacedCorrection(
      correction: StoredCorrection(
        id: try row.text("correction_id"), memberID: try row.text("member_id"),
        progress: CorrectionProgress(
          CorrectionState(rawValue: try row.int32("correction_state"))),
        data: try row.blob("data"), version: try row.integer("correction_version"),
        created: try row.integer("correction_created")),
      known: try MemberStore.known(row))
  }
}

extension Commit {
  /// Cancels a correction, or opens a cancelled one again, with its event.
  ///
  /// - Throws: ``MembersError/correctionState``.
  mutating func change(
    _ stored: StoredCorrection, _ input: CorrectionProgress.Input
  ) throws {
    var changed = stored
    try changed.progress.apply(input)
    changed.version += 1
    if changed.progress.state == .requested {
      CorrectionStore.reopen(changed, into: &self)
    } else {
      CorrectionStore.end(changed, into: &self)
    }
    emit(try .changed(changed))
  }

  /// Cancels a record's open correction in the commit that merges it. Must follow the membership's
  /// own change, so that a concurrent request is detected.
  mutating func cancelCorrection(_ open: StoredCorrection?, of memberID: String) throws {
    if let open {
      try change(open, .cancel)
    } else {
      run(CorrectionStore.noneOpen(of: memberID))
    }
  }
}
