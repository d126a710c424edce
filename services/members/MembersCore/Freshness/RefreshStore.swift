import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage

/// A refresh round as stored.
struct StoredRound: Sendable, Hashable {
  var id: String
  var organizationID: String
  /// The opening day in days since 1970-01-01.
  var openDay: Int
  /// The due day in days since 1970-01-01.
  var dueDay: Int
  var isClosed: Bool
  /// The number of its records by state.
  var records: [RefreshState: Int64]
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64

  var message: RefreshRound {
    var message = RefreshRound()
    message.name = "refreshRounds/\(id)"
    message.organization = "organizations/\(organizationID)"
    message.openDate = .day(openDay)
    message.dueDate = .day(dueDay)
    message.closed = isClosed
    message.staleRecords = records[.stale, default: 0]
    message.confirmedRecords = records[.confirmed, default: 0]
    message.unreachableRecords = records[.unreachable, default: 0]
    message.endedRecords = records[.ended, default: 0]
    message.createTime = Timestamp(microseconds: created)
    message.etag = Etag.text(version)
    return message
  }
}

extension StoredRound {
  /// The inputs of its state machine: it is open until it is closed.
  enum Input: Sendable, CaseIterable {
    /// One of its records is shown or changed.
    case work
    case close
  }

  /// Pure.
  ///
  /// - Throws: ``MembersError/refreshState`` if it is closed.
  mutating func apply(_ input: Input) throws(MembersError) {
    guard !isClosed else { throw .refreshState }
    guard input == .close else { return }
    isClosed = true
    version += 1
  }
}

/// A round with the position of its organization in the tree.
struct PlacedRound: Sendable, Hashable {
  var round: StoredRound
  var path: String
}

/// A record of a round as stored.
struct StoredRefreshRecord: Sendable, Hashable {
  var memberID: String
  var number: String
  var state: RefreshState
  var day: Int

  var message: RefreshRecord {
    var message = RefreshRecord()
    message.member = "members/\(memberID)"
    message.memberNumber = number
    message.state = state
    message.date = .day(day)
    return message
  }
}

extension RefreshState {
  /// The column of a round that counts its records in this state.
  fileprivate var column: String {
    switch self {
    case .stale: "stale_records"
    case .confirmed: "confirmed_records"
    case .unreachable: "unreachable_records"
    case .ended: "ended_records"
    default: preconditionFailure("no record is in state \(self)")
    }
  }

  fileprivate static let stored: [RefreshState] = [.stale, .confirmed, .unreachable, .ended]
}

/// The SQL of refresh rounds and confirmations. A round counts its records by state, so that its
/// progress is read without counting them: every statement that changes records is beside one that
/// changes the counts.
enum RefreshStore {
  private static let round = """
    SELECT r.id, r.organization_id, r.open_day, r.due_day, r.closed, \
    \(RefreshState.stored.map { "r.\($0.column)" }.joined(separator: ", ")), \
    r.version, r.created, o.path \
    FROM refresh_rounds AS r JOIN organizations AS o ON o.id = r.organization_id
    """

  static func byID(_ id: String) -> Query<PlacedRound?> {
    .first("\(round) WHERE r.id = ?1", [id], placed)
  }

  /// Returns the rounds of a subtree, newest first: those after `after`, a time of creation and an
  /// identifier.
  static func rounds(
    of range: PathRange, withClosed: Bool, after: (created: SQLValue, id: SQLValue), limit: Int
  ) -> Query<[PlacedRound]> {
    .all(
      """
      \(round) WHERE o.path >= ?1 AND o.path < ?2 \(withClosed ? "" : "AND r.closed = 0")
        AND (r.created < ?3 OR r.created = ?3 AND r.id < ?4)
      ORDER BY r.created DESC, r.id DESC LIMIT ?5
      """, [range.first, range.end, after.created, after.id, limit], placed)
  }

  @Sendable private static func placed(_ row: Row) throws -> PlacedRound {
    PlacedRound(
      round: StoredRound(
        id: try row.text("id"), organizationID: try row.text("organization_id"),
        openDay: try row.int("open_day"), dueDay: try row.int("due_day"),
        isClosed: try row.boolean("closed"),
        records: try Dictionary(
          uniqueKeysWithValues: RefreshState.stored.map { ($0, try row.integer($0.column)) }),
        version: try row.integer("version"), created: try row.integer("created")),
      path: try row.text("path"))
  }

  private static let record = """
    SELECT r.member_id, m.member_number, r.state, r.day FROM refresh_records AS r \
    JOIN memberships AS m ON m.id = r.member_id
    """

  static func record(of round: String, _ member: String) -> Query<StoredRefreshRecord?> {
    .first(
      "\(record) WHERE r.round_id = ?1 AND r.member_id = ?2", [round, member], stored)
  }

  /// Returns a round's records in some states: a page of each in the order of their index, because
  /// the other records may be many.
  static func records(
    of round: String, states: [RefreshState], after member: SQLValue, limit: Int
  ) -> Query<[StoredRefreshRecord]> {
    let pages = Set(states.map(\.rawValue)).sorted().map { state in
      """
      SELECT * FROM (
        \(record) WHERE r.round_id = ?1 AND r.state = \(state) AND r.member_id > ?2
        ORDER BY r.member_id LIMIT ?3
      ) AS page_\(state)
      """
    }
    return .all(
      "\(pages.joined(separator: " UNION ALL ")) ORDER BY member_id LIMIT ?3",
      [round, member, limit], stored)
  }

  /// The maximum number of records per round: it is opened by one statement, which blocks other
  /// writers for seconds.
  static let recordsMax = 200_000

  /// The live members of a subtree with stale records; `?1` to `?3` are the range and the first
  /// fresh day.
  private static let stale = """
    FROM organizations AS o JOIN memberships AS m ON m.managing_organization_id = o.id
    LEFT JOIN confirmations AS c ON c.member_id = m.id
    WHERE o.path >= ?1 AND o.path < ?2
      AND m.state IN (\(MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")))
      AND coalesce(c.day, m.join_day) < ?3
    """

  /// Returns the number of records of a new round; one more than `recordsMax` where there are more.
  static func staleRecords(
    of range: PathRange, firstFreshDay: Int, recordsMax: Int = recordsMax
  ) -> Query<Int64> {
    Query(
      "SELECT count(*) AS records FROM (SELECT m.id \(stale) LIMIT ?4) AS stale",
      [range.first, range.end, firstFreshDay, recordsMax + 1]
    ) { try $0.first?.integer("records") ?? 0 }
  }

  /// Opens a round with all stale records of live members of the subtree, as many as it states,
  /// inserted by one statement.
  static func open(
    _ round: StoredRound, of range: PathRange, firstFreshDay: Int, into commit: inout Commit
  ) {
    let stale = round.records[.stale, default: 0]
    commit.run(
      """
      INSERT INTO refresh_rounds (
        id, organization_id, open_day, due_day, closed, stale_records, version, created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      """,
      [
        round.id, round.organizationID, round.openDay, round.dueDay, round.isClosed, stale,
        round.version, round.created,
      ], expects: .exactly(1))
    commit.run(
      """
      INSERT INTO refresh_records (round_id, member_id, state, day)
      SELECT ?4, m.id, ?5, ?6 \(Self.stale)
      """,
      [
        range.first, range.end, firstFreshDay, round.id, RefreshState.stale.rawValue,
        round.openDay,
      ], expects: .exactly(Int(stale)))
  }

  /// Records that a member's data are correct, also in every open round.
  static func confirm(_ member: String, on day: Int, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO confirmations (member_id, day) VALUES (?1, ?2)
      ON CONFLICT (member_id) DO UPDATE SET day = excluded.day
      """, [member, day], expects: .exactly(1))
    move(member, from: [.stale, .unreachable, .ended], to: .confirmed, on: day, into: &commit)
  }

  /// Ends the unconfirmed records of a member whose membership ends, in every open round.
  static func end(_ member: String, on day: Int, into commit: inout Commit) {
    move(member, from: [.stale, .unreachable], to: .ended, on: day, into: &commit)
  }

  /// Makes the ended records of a member stale again, in every open round.
  static func restore(_ member: String, on day: Int, into commit: inout Commit) {
    move(member, from: [.ended], to: .stale, on: day, into: &commit)
  }

  /// Moves a member's records in every open round (``RefreshProgress``, as two statements).
  private static func move(
    _ member: String, from states: [RefreshState], to next: RefreshState, on day: Int,
    into commit: inout Commit
  ) {
    let own = "member_id = ?1 AND state"
    let numbers = states.map { String($0.rawValue) }.joined(separator: ", ")
    let fewer = states.map { state in
      """
      \(state.column) = \(state.column) - (SELECT count(*) FROM refresh_records
        WHERE round_id = refresh_rounds.id AND \(own) = \(state.rawValue))
      """
    }
    commit.run(
      """
      UPDATE refresh_rounds
      SET \(fewer.joined(separator: ", ")), \(next.column) = \(next.column) + 1
      WHERE closed = 0
        AND id IN (SELECT round_id FROM refresh_records WHERE \(own) IN (\(numbers)))
      """, [member])
    commit.run(
      """
      UPDATE refresh_records SET state = ?2, day = ?3 WHERE \(own) IN (\(numbers))
        AND round_id IN (SELECT id FROM refresh_rounds WHERE closed = 0)
      """, [member, next.rawValue, day])
  }

  /// Changes a record of an open round.
  /// - Parameter before: The state that was read, which guards the change.
  static func set(
    _ record: StoredRefreshRecord, of round: String, before: RefreshState,
    into commit: inout Commit
  ) {
    commit.run(isStillOpen(round))
    if record.state != before {
      commit.run(
        """
        UPDATE refresh_rounds SET \(before.column) = \(before.column) - 1,
          \(record.state.column) = \(record.state.column) + 1 WHERE id = ?1
        """, [round], expects: .exactly(1))
    }
    commit.run(
      """
      UPDATE refresh_records SET state = ?3, day = ?4
      WHERE round_id = ?1 AND member_id = ?2 AND state = ?5
      """,
      [round, record.memberID, record.state.rawValue, record.day, before.rawValue],
      expects: .exactly(1))
  }

  /// A guard that detects that a round was closed concurrently.
  private static func isStillOpen(_ round: String) -> Statement {
    Statement(
      "UPDATE refresh_rounds SET version = version WHERE id = ?1 AND closed = 0", [round],
      expects: .exactly(1))
  }

  static func close(_ round: StoredRound) -> Statement {
    Statement(
      "UPDATE refresh_rounds SET closed = 1, version = ?2 WHERE id = ?1 AND version = ?2 - 1",
      [round.id, round.version], expects: .exactly(1))
  }

  @Sendable private static func stored(_ row: Row) throws -> StoredRefreshRecord {
    StoredRefreshRecord(
      memberID: try row.text("member_id"), number: try row.text("member_number"),
      state: RefreshState(rawValue: try row.int32("state")), day: try row.int("day"))
  }
}

extension OutboxEvent {
  /// Returns the event of an opened or closed round.
  static func changed(_ round: StoredRound) throws -> OutboxEvent {
    OutboxEvent(
      entity: "refreshRounds/\(round.id)", version: round.version,
      kind: MemberEventKind.refreshRoundChanged.rawValue,
      payload: try round.message.wireBytes())
  }
}
