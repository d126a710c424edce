import Crypto
import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// A case of the holding pool as stored.
struct StoredPoolCase: Sendable, Hashable {
  var id: String
  var memberID: String
  var progress: PoolCaseProgress
  var poolID: String
  /// The organization that keeps the case.
  var custodianID: String
  /// The union to which the case is assigned.
  var receiverID: String?
  /// The days that each level has for ending the case, from the region's setting when it was
  /// opened.
  var days: Int
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
}

extension StoredPoolCase {
  /// Returns the identifier of the case that a change of a membership opens. It is deterministic,
  /// because a decision may run more than once.
  static func id(of member: StoredMember) -> String {
    let digest = SHA256.hash(data: Array("pool case \(member.id) \(member.version)".utf8))
    return digest.prefix(16).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }
}

/// A case with the positions of its parties in the tree and the member's data for its message.
struct PlacedPoolCase: Sendable, Hashable {
  var poolCase: StoredPoolCase
  var poolPath: String
  var custodianPath: String
  /// The organization above the custodian; `nil` at the top.
  var aboveCustodianID: String?
  var receiverPath: String?
  var memberNumber: String
  var group: OccupationGroup

  /// Returns whether the scope contains the pool or the custodian.
  func isKept(by scope: StaffScope) -> Bool {
    scope.holds(poolPath) || scope.holds(custodianPath)
  }

  /// Returns whether the scope contains the receiver.
  func isReceived(by scope: StaffScope) -> Bool { receiverPath.map(scope.holds) ?? false }

  func message(_ stored: StoredPoolCase) -> PoolCase {
    var message = PoolCase()
    message.name = "poolCases/\(stored.id)"
    message.member = "members/\(stored.memberID)"
    message.memberNumber = memberNumber
    message.group = group
    message.state = stored.progress.state
    message.pool = "organizations/\(stored.poolID)"
    message.custodian = "organizations/\(stored.custodianID)"
    message.receiver = stored.receiverID.map { "organizations/\($0)" } ?? ""
    message.dueDate = .day(stored.progress.dueDay)
    message.level = Int32(clamping: stored.progress.level)
    message.returns = Int32(clamping: stored.progress.returns)
    message.createTime = Timestamp(microseconds: stored.created)
    message.etag = Etag.text(stored.version)
    return message
  }
}

/// The custodian of a pool's cases and the days for ending them, as configured for its region.
struct PoolTerms: Sendable, Hashable {
  var custodianID: String
  var days: Int
}

/// The SQL of pool cases.
enum PoolCaseStore {
  /// The selection of cases for a page.
  enum Filter: Sendable {
    /// Those of the pools of a subtree; only those before a place, if there is one.
    case pools(PathRange, by: ListPlan = .organizations, before: ListPlace? = nil)
    case custodian(String)
    case receiver(String)
  }

  private static let parties =
    "FROM pool_cases AS c JOIN organizations AS o ON o.id = c.pool_id \(others)"
  private static let others = """
    JOIN organizations AS k ON k.id = c.custodian_id \
    LEFT JOIN organizations AS r ON r.id = c.receiver_id \
    JOIN memberships AS m ON m.id = c.member_id
    """
  private static let columns = """
    c.id, c.member_id, c.state, c.pool_id, c.custodian_id, c.receiver_id, c.due_day, c.days, \
    c.level, c.returns, c.version, c.created, o.path AS pool_path, k.path AS custodian_path, \
    k.parent_id AS above_id, r.path AS receiver_path, m.member_number, m.occupation_group
    """
  private static let openStates: [PoolCaseState] = [.waiting, .assigned]
  private static let open = numbers(openStates)
  private static let ended = numbers([.confirmed, .closed])

  private static func numbers(_ states: [PoolCaseState]) -> String {
    states.map { String($0.rawValue) }.joined(separator: ", ")
  }

  static func byID(_ id: String) -> Query<PlacedPoolCase?> {
    .first("SELECT \(columns) \(parties) WHERE c.id = ?1", [id], placed)
  }

  /// Returns all cases of a member.
  static func all(of memberID: String) -> Query<[PlacedPoolCase]> {
    .all(
      """
      SELECT \(columns) \(parties) WHERE c.id IN (
        SELECT id FROM pool_cases WHERE member_id = ?1 AND state IN (\(open))
        UNION ALL
        SELECT id FROM pool_cases WHERE member_id = ?1 AND state IN (\(ended))
      ) ORDER BY c.created, c.id
      """, [memberID], placed)
  }

  /// Returns the open case of a member.
  static func open(of memberID: String) -> Query<PlacedPoolCase?> {
    .first(
      "SELECT \(columns) \(parties) WHERE c.member_id = ?1 AND c.state IN (\(open))", [memberID],
      placed)
  }

  /// Returns the open case of the member of a transfer.
  static func open(ofTransfer id: String) -> Query<PlacedPoolCase?> {
    .first(
      """
      SELECT \(columns) \(parties)
      WHERE c.member_id = (SELECT member_id FROM transfers WHERE id = ?1) AND c.state IN (\(open))
      """, [id], placed)
  }

  /// Returns the open cases of the members counted in a unit.
  static func open(ofUnit id: String) -> Query<[PlacedPoolCase]> {
    .all(
      """
      SELECT \(columns) \(parties)
      WHERE c.member_id IN (SELECT member_id FROM unit_members WHERE unit_id = ?1)
        AND c.state IN (\(open))
      """, [id], placed)
  }

  /// Returns the identifiers of open cases due before a day.
  static func overdue(on day: Int, limit: Int) -> Query<[String]> {
    .all(
      """
      SELECT c.id FROM pool_cases AS c WHERE c.state IN (\(open)) AND c.due_day < ?1
      ORDER BY c.due_day, c.id LIMIT ?2
      """, [day, limit]
    ) { row in try row.text("id") }
  }

  /// Splits the states of a list into the open and the ended ones, which have indexes of their own.
  static func parts(of states: [PoolCaseState]) -> [[PoolCaseState]] {
    [states.filter(openStates.contains), states.filter { !openStates.contains($0) }]
      .filter { !$0.isEmpty }
  }

  /// - Parameter states: States of one part.
  private static func condition(_ states: [PoolCaseState]) -> String {
    "c.state IN (\(openStates.contains(states[0]) ? open : ended))"
  }

  /// Returns the rows of a list: only open cases have an index by due day.
  static func rows(_ states: [PoolCaseState]) -> ListRows {
    openStates.contains(states[0])
      ? ListRows(of: "pool_cases AS c WHERE \(condition(states))") : .unindexed
  }

  /// Returns the place of the open case that follows on some number of others after a place; `nil`
  /// if there are no more than those.
  ///
  /// - Parameter day: Passes only cases overdue on this day.
  static func place(
    after: ListPlace, overdueOn day: Int?, skipping count: Int
  ) -> Query<ListPlace?> {
    .first(
      """
      SELECT c.due_day, c.id FROM pool_cases AS c
      WHERE \(condition(openStates)) AND c.due_day < ?3 AND (c.due_day, c.id) > (?1, ?2)
      ORDER BY c.due_day, c.id LIMIT 1 OFFSET \(count)
      """, after.values + [day ?? Int(Int32.max)]
    ) { row in ListPlace(number: try row.integer("due_day"), id: try row.text("id")) }
  }

  /// Returns a page of cases by due day.
  ///
  /// - Parameters:
  ///   - states: States of one part.
  ///   - overdueOn: Restricts the page to cases overdue on this day.
  ///   - after: The place of the last case of the previous page.
  static func page(
    of filter: Filter, states: [PoolCaseState], overdueOn day: Int?, after: ListPlace, limit: Int
  ) -> Query<[PlacedPoolCase]> {
    let (plan, selected, arguments): (ListPlan, String, [any SQLValueConvertible]) =
      switch filter {
      case .pools(let range, let plan, let end):
        (
          plan,
          """
          \(plan.path("o.path")) >= ?5 AND \(plan.path("o.path")) < ?6
          \(end == nil ? "" : "AND (c.due_day, c.id) < (?7, ?8)")
          """, [range.first, range.end] + (end?.values ?? [])
        )
      case .custodian(let id): (.rows, "c.custodian_id = ?5", [id])
      case .receiver(let id): (.rows, "c.receiver_id = ?5", [id])
      }
    return .all(
      """
      SELECT \(columns) FROM \(plan.tables("pool_cases AS c")) \(others)
      WHERE o.id = c.pool_id AND \(selected) AND \(condition(states))
        AND c.state IN (\(numbers(states))) AND c.due_day < ?4 AND (c.due_day, c.id) > (?1, ?2)
      ORDER BY c.due_day, c.id LIMIT ?3
      """, after.values + [limit, day ?? Int(Int32.max)] + arguments, placed)
  }

  /// Returns the terms of a pool's region; the smallest configured region applies. The default
  /// custodian is the organization above the pool, also if the region's was dissolved.
  static func terms(of pool: StoredOrganization) -> Query<PoolTerms> {
    let regions = pool.settingRegionCodes
    let places = regions.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    let above = pool.parentID ?? pool.id
    // Pools of one region may have different parents, so the default custodian must be among the
    // arguments: `Step.together` shares the result of equal queries.
    return Query(
      """
      SELECT s.region_code, s.pool_days, coalesce(o.id, ?\(regions.count + 1)) AS custodian_id
      FROM region_settings AS s
      LEFT JOIN organizations AS o ON o.external_id = s.pool_custodian
        AND o.state <> \(OrganizationState.dissolved.rawValue)
      WHERE s.region_code IN (\(places))
      """, regions + [above]
    ) { rows in
      for region in regions {
        for row in rows where try row.text("region_code") == region {
          return PoolTerms(
            custodianID: try row.text("custodian_id"), days: try row.int("pool_days"))
        }
      }
      return PoolTerms(custodianID: above, days: RegionSetting.poolDaysNormal)
    }
  }

  static func insert(_ cases: [StoredPoolCase], into commit: inout Commit) {
    commit.insert(
      into: "pool_cases",
      [
        "id", "member_id", "state", "pool_id", "custodian_id", "receiver_id", "due_day", "days",
        "level", "returns", "version", "created",
      ],
      cases.map { stored in
        [
          stored.id, stored.memberID, stored.progress.state.rawValue, stored.poolID,
          stored.custodianID, stored.receiverID, stored.progress.dueDay, stored.days,
          stored.progress.level, stored.progress.returns, stored.version, stored.created,
        ]
      })
  }

  /// Returns the open cases of a pool.
  static func open(in poolID: String, limit: Int) -> Query<[StoredPoolCase]> {
    Query<[PlacedPoolCase]>.all(
      "SELECT \(columns) \(parties) WHERE c.pool_id = ?1 AND c.state IN (\(open)) LIMIT ?2",
      [poolID, limit], placed
    )
    .map { $0.map(\.poolCase) }
  }

  /// Returns the open cases that are assigned to an organization, or that it keeps for a pool other
  /// than itself.
  static func concerning(_ organizationID: String, limit: Int) -> Query<[StoredPoolCase]> {
    Query<[PlacedPoolCase]>.all(
      """
      SELECT \(columns) \(parties) WHERE c.id IN (
        SELECT id FROM pool_cases WHERE receiver_id = ?1 AND state IN (\(open))
        UNION ALL
        SELECT id FROM pool_cases WHERE custodian_id = ?1 AND state IN (\(open))
      ) AND c.pool_id <> ?1 LIMIT ?2
      """, [organizationID, limit], placed
    )
    .map { $0.map(\.poolCase) }
  }

  /// Guards that detect an open case that was concurrently assigned to an organization, or opened
  /// in its keeping.
  static func noneConcerning(_ organizationID: String) -> [Statement] {
    ["receiver_id", "custodian_id"].map { party in
      Statement(
        "UPDATE pool_cases SET version = version WHERE \(party) = ?1 AND state IN (\(open))",
        [organizationID], expects: .exactly(0))
    }
  }

  /// Changes the parties of cases, guarded by each case's version.
  ///
  /// - Parameter cases: The changed cases, with their versions incremented.
  static func place(_ cases: [StoredPoolCase], into commit: inout Commit) {
    for start in stride(from: 0, to: cases.count, by: Commit.rowsPerStatement) {
      let part = cases[start..<min(start + Commit.rowsPerStatement, cases.count)]
      commit.run(
        """
        UPDATE pool_cases SET version = moved.column2, state = moved.column3,
          pool_id = moved.column4, custodian_id = moved.column5,
          receiver_id = NULLIF(moved.column6, '')
        FROM (VALUES \(Commit.places(rows: part.count, columns: 6))) AS moved
        WHERE pool_cases.id = moved.column1 AND pool_cases.version = moved.column2 - 1
        """,
        part.flatMap { stored -> [any SQLValueConvertible] in
          [
            stored.id, stored.version, stored.progress.state.rawValue, stored.poolID,
            stored.custodianID, stored.receiverID ?? "",
          ]
        }, expects: .exactly(part.count))
    }
  }

  /// - Parameter stored: The changed case, with its version incremented.
  static func update(_ stored: StoredPoolCase) -> Statement {
    Statement(
      """
      UPDATE pool_cases SET state = ?2, custodian_id = ?3, receiver_id = ?4, due_day = ?5,
        level = ?6, returns = ?7, version = ?8
      WHERE id = ?1 AND version = ?8 - 1
      """,
      [
        stored.id, stored.progress.state.rawValue, stored.custodianID, stored.receiverID,
        stored.progress.dueDay, stored.progress.level, stored.progress.returns, stored.version,
      ], expects: .exactly(1))
  }

  /// Appends one entry per case to the cases' log.
  static func log(
    _ cases: [StoredPoolCase], _ action: String, by act: Act, into commit: inout Commit
  ) {
    commit.insert(
      into: "pool_case_log",
      [
        "case_id", "version", "action", "state", "custodian_id", "receiver_id", "due_day", "actor",
        "created",
      ],
      cases.map { stored in
        [
          stored.id, stored.version, action, stored.progress.state.rawValue, stored.custodianID,
          stored.receiverID, stored.progress.dueDay, act.actor, act.microseconds,
        ]
      })
  }

  @Sendable private static func placed(_ row: Row) throws -> PlacedPoolCase {
    PlacedPoolCase(
      poolCase: StoredPoolCase(
        id: try row.text("id"), memberID: try row.text("member_id"),
        progress: PoolCaseProgress(
          state: PoolCaseState(rawValue: try row.int32("state")), level: try row.int("level"),
          returns: try row.int("returns"), dueDay: try row.int("due_day")),
        poolID: try row.text("pool_id"), custodianID: try row.text("custodian_id"),
        receiverID: try row.optionalText("receiver_id"), days: try row.int("days"),
        version: try row.integer("version"), created: try row.integer("created")),
      poolPath: try row.text("pool_path"), custodianPath: try row.text("custodian_path"),
      aboveCustodianID: try row.optionalText("above_id"),
      receiverPath: try row.optionalText("receiver_path"),
      memberNumber: try row.text("member_number"),
      group: OccupationGroup(rawValue: try row.int32("occupation_group")))
  }
}
