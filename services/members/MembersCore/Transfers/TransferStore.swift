import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage
import YijiaTypeV1

/// A transfer as stored.
struct StoredTransfer: Sendable, Hashable {
  var id: String
  var memberID: String
  var progress: TransferProgress
  /// The member's union when the transfer was requested, or completed.
  var fromID: String
  var toID: String
  /// The organization that has to decide.
  var handlerID: String
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
}

/// A transfer with the positions of its parties in the tree.
struct PlacedTransfer: Sendable, Hashable {
  var transfer: StoredTransfer
  var toPath: String
  /// The organization above the receiver; `nil` at the top.
  var aboveReceiverID: String?
  /// The path of the organization that manages the member at present.
  var memberPath: String
  var memberNumber: String

  /// Returns whether the caller is the member, or staff of the member's organization.
  func isAsked(by caller: Caller, _ scope: StaffScope) -> Bool {
    caller.kind == .member
      ? caller.subject == "members/\(transfer.memberID)" : scope.holds(memberPath)
  }

  func message(_ stored: StoredTransfer) -> Transfer {
    var message = Transfer()
    message.name = "transfers/\(stored.id)"
    message.member = "members/\(stored.memberID)"
    message.memberNumber = memberNumber
    message.state = stored.progress.state
    message.fromOrganization = "organizations/\(stored.fromID)"
    message.toOrganization = "organizations/\(stored.toID)"
    message.handler = "organizations/\(stored.handlerID)"
    let isEscalated = stored.progress.level > 0
    message.dueDate = .day(isEscalated ? stored.progress.expiryDay : stored.progress.dueDay)
    message.expireDate = .day(stored.progress.expiryDay)
    message.createTime = Timestamp(microseconds: stored.created)
    message.etag = Etag.text(stored.version)
    return message
  }
}

/// The SQL of transfers.
enum TransferStore {
  /// The selection of transfers for a page.
  enum Filter: Sendable {
    /// Those to the unions of a subtree; only those before a place, if there is one.
    case receivers(PathRange, by: ListPlan, before: ListPlace?)
    case member(String)
  }

  private static let selection =
    "\(columns) FROM transfers AS t JOIN organizations AS o ON o.id = t.to_id \(others)"

  private static let columns = """
    SELECT t.id, t.member_id, t.state, t.from_id, t.to_id, t.handler_id, t.due_day, \
    t.expiry_day, t.level, t.version, t.created, o.path AS to_path, o.parent_id AS above_id, \
    h.path AS member_path, m.member_number
    """
  private static let others = """
    JOIN memberships AS m ON m.id = t.member_id \
    JOIN organizations AS h ON h.id = m.managing_organization_id
    """
  private static let requested = TransferState.requested.rawValue

  static func byID(_ id: String) -> Query<PlacedTransfer?> {
    .first("\(selection) WHERE t.id = ?1", [id], placed)
  }

  /// Returns all transfers of a member.
  static func all(of memberID: String) -> Query<[PlacedTransfer]> {
    .all("\(selection) WHERE t.member_id = ?1 ORDER BY t.created, t.id", [memberID], placed)
  }

  /// Returns the open transfer of a member.
  static func open(of memberID: String) -> Query<PlacedTransfer?> {
    .first(
      """
      \(selection) WHERE t.id = (SELECT transfer_id FROM open_transfers WHERE member_id = ?1)
      """, [memberID], placed)
  }

  /// Returns the open transfer of the member of a pool case.
  static func open(ofPoolCase id: String) -> Query<PlacedTransfer?> {
    .first(
      """
      \(selection) WHERE t.id = (
        SELECT transfer_id FROM open_transfers
        WHERE member_id = (SELECT member_id FROM pool_cases WHERE id = ?1)
      )
      """, [id], placed)
  }

  /// Returns the open transfers of the members counted in a unit.
  static func open(ofUnit id: String) -> Query<[PlacedTransfer]> {
    .all(
      """
      \(selection) WHERE t.id IN (
        SELECT transfer_id FROM open_transfers
        WHERE member_id IN (SELECT member_id FROM unit_members WHERE unit_id = ?1)
      )
      """, [id], placed)
  }

  /// Returns the open transfers to a union, which end when it is dissolved.
  static func open(to organizationID: String) -> Query<[PlacedTransfer]> {
    .all("\(selection) WHERE t.to_id = ?1 AND t.state = \(requested)", [organizationID], placed)
  }

  /// Returns the identifiers of open transfers that are due for escalation or expiry on a day.
  static func due(on day: Int, limit: Int) -> Query<[String]> {
    .all(
      """
      SELECT t.id FROM transfers AS t WHERE t.state = \(requested) AND t.due_day < ?1
        AND (t.level = 0 OR t.expiry_day < ?1)
      ORDER BY t.due_day, t.id LIMIT ?2
      """, [day, limit]
    ) { row in try row.text("id") }
  }

  /// Returns the rows of a list: only open transfers have an index of their own.
  static func rows(_ states: [TransferState]) -> ListRows {
    states == [.requested]
      ? ListRows(of: "transfers AS t WHERE t.state = \(requested)") : .unindexed
  }

  /// Returns the place of the open transfer that follows on some number of others after a place;
  /// `nil` if there are no more than those.
  static func place(after: ListPlace, skipping count: Int) -> Query<ListPlace?> {
    .first(
      """
      SELECT t.due_day, t.id FROM transfers AS t
      WHERE t.state = \(requested) AND (t.due_day, t.id) > (?1, ?2)
      ORDER BY t.due_day, t.id LIMIT 1 OFFSET \(count)
      """, after.values
    ) { row in ListPlace(number: try row.integer("due_day"), id: try row.text("id")) }
  }

  static func page(
    of filter: Filter, states: [TransferState], after: ListPlace, limit: Int
  ) -> Query<[PlacedTransfer]> {
    let list = states.map { String($0.rawValue) }.joined(separator: ", ")
    let (plan, selected, arguments): (ListPlan, String, [any SQLValueConvertible]) =
      switch filter {
      case .receivers(let range, let plan, let end):
        (
          plan,
          """
          \(plan.path("o.path")) >= ?4 AND \(plan.path("o.path")) < ?5
          \(plan == .rows ? "AND t.state = \(requested)" : "")
          \(end == nil ? "" : "AND (t.due_day, t.id) < (?6, ?7)")
          """, [range.first, range.end] + (end?.values ?? [])
        )
      case .member(let id): (.rows, "t.member_id = ?4", [id])
      }
    return .all(
      """
      \(columns) FROM \(plan.tables("transfers AS t")) \(others)
      WHERE o.id = t.to_id AND \(selected) AND t.state IN (\(list))
        AND (t.due_day, t.id) > (?1, ?2)
      ORDER BY t.due_day, t.id LIMIT ?3
      """, after.values + [limit] + arguments, placed)
  }

  /// Returns the days for deciding a transfer in a union's region; the smallest configured region
  /// applies.
  static func days(of receiver: StoredOrganization) -> Query<Int> {
    let regions = receiver.settingRegionCodes
    return RegionSettingStore.byRegions(regions).map { settings in
      regions.compactMap { code in settings.first { $0.regionCode == code } }.first?.transferDays
        ?? RegionSetting.transferDaysNormal
    }
  }

  static func insert(_ stored: StoredTransfer) -> Statement {
    Statement(
      """
      INSERT INTO transfers (
        id, member_id, state, from_id, to_id, handler_id, due_day, expiry_day, level, version,
        created
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
      """,
      [
        stored.id, stored.memberID, stored.progress.state.rawValue, stored.fromID, stored.toID,
        stored.handlerID, stored.progress.dueDay, stored.progress.expiryDay,
        stored.progress.level, stored.version, stored.created,
      ], expects: .exactly(1))
  }

  /// - Parameter stored: The changed transfer, with its version incremented.
  static func update(_ stored: StoredTransfer) -> Statement {
    Statement(
      """
      UPDATE transfers SET state = ?2, from_id = ?3, handler_id = ?4, level = ?5, version = ?6
      WHERE id = ?1 AND version = ?6 - 1
      """,
      [
        stored.id, stored.progress.state.rawValue, stored.fromID, stored.handlerID,
        stored.progress.level, stored.version,
      ], expects: .exactly(1))
  }

  /// Records a member's only open transfer.
  static func open(_ stored: StoredTransfer) -> Statement {
    Statement(
      """
      INSERT INTO open_transfers (member_id, transfer_id) VALUES (?1, ?2)
      ON CONFLICT (member_id) DO NOTHING
      """, [stored.memberID, stored.id], expects: .exactly(1))
  }

  /// Deletes the record of a member's open transfer; the guard detects a concurrent request.
  ///
  /// - Parameter isOpen: Whether there was an open transfer when it was read.
  static func close(of memberID: String, isOpen: Bool) -> Statement {
    Statement(
      "DELETE FROM open_transfers WHERE member_id = ?1", [memberID],
      expects: .exactly(isOpen ? 1 : 0))
  }

  /// A guard that detects a concurrent change of a transfer.
  static func isStill(_ stored: StoredTransfer) -> Statement {
    Statement(
      "UPDATE transfers SET version = version WHERE id = ?1 AND version = ?2",
      [stored.id, stored.version], expects: .exactly(1))
  }

  /// A guard that detects a concurrent transfer request to a union.
  static func noneOpen(to organizationID: String) -> Statement {
    Statement(
      """
      DELETE FROM open_transfers WHERE transfer_id IN (
        SELECT id FROM transfers WHERE to_id = ?1 AND state = \(requested)
      )
      """, [organizationID], expects: .exactly(0))
  }

  @Sendable private static func placed(_ row: Row) throws -> PlacedTransfer {
    PlacedTransfer(
      transfer: StoredTransfer(
        id: try row.text("id"), memberID: try row.text("member_id"),
        progress: TransferProgress(
          state: TransferState(rawValue: try row.int32("state")), level: try row.int("level"),
          dueDay: try row.int("due_day"), expiryDay: try row.int("expiry_day")),
        fromID: try row.text("from_id"), toID: try row.text("to_id"),
        handlerID: try row.text("handler_id"), version: try row.integer("version"),
        created: try row.integer("created")),
      toPath: try row.text("to_path"), aboveReceiverID: try row.optionalText("above_id"),
      memberPath: try row.text("member_path"), memberNumber: try row.text("member_number"))
  }
}
