import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// A possible duplicate as stored, with its two persons.
struct StoredDuplicate: Sendable, Hashable {
  var id: String
  var kind: DuplicateKind
  var progress: DuplicateProgress
  var personID: String
  var otherPersonID: String
  var version: Int64
  /// The creation in microseconds since 1970.
  var created: Int64
  /// The current merge.
  var merge: StoredMerge?
  /// The paths of both persons' organizations; that of the enrollment for a person without a
  /// membership.
  var paths: [String]
  var parties: [DuplicateParty]

  /// Returns whether the scope contains both persons.
  func isHeld(by scope: StaffScope) -> Bool { paths.allSatisfy(scope.holds) }

  var message: Duplicate {
    var message = Duplicate()
    message.name = "duplicates/\(id)"
    message.kind = kind
    message.state = progress.state
    message.person = parties.first
    message.other = parties.last
    message.survivor = merge.map { "members/\($0.survivorID)" } ?? ""
    message.createTime = Timestamp(microseconds: created)
    message.etag = Etag.text(version)
    return message
  }
}

/// A current merge: the data for undoing it, besides the log.
struct StoredMerge: Sendable, Hashable {
  var id: String
  var survivorID: String
  var mergedID: String
  /// The merged membership's state before the merge.
  var former: MembershipState
  /// The survivor's join day before the merge.
  var joinDay: Int
  /// The open transfer that the merge cancelled.
  var transferID: String?
  /// The open correction that the merge cancelled.
  var correctionID: String?
  /// The open away report that the merge ended.
  var awayReportID: String?
  /// The state of that report before the merge.
  var awayState = AwayState.unspecified
}

/// A merge into a survivor, current or undone.
struct PastMerge: Sendable, Hashable {
  var mergedID: String
  /// The join day of the merged record.
  var joinDay: Int
  /// The survivor's join day before the merge.
  var dayBefore: Int
  var stands: Bool
}

extension [PastMerge] {
  /// Returns the survivor's join day after a merge is undone: the earliest of its own, which is the
  /// maximum before any merge, and those of the records still merged into it.
  func joinDay(without mergedID: String) -> Int? {
    let others = filter { $0.stands && $0.mergedID != mergedID }.map(\.joinDay)
    return map(\.dayBefore).max().map { Swift.min($0, others.min() ?? $0) }
  }
}

/// The SQL of possible duplicates and of merges.
enum DuplicateStore {
  private static let selection = "\(columns) FROM duplicate_cases AS d \(others)"

  /// The paths are subqueries, because PostgreSQL joins many rows with all organizations.
  private static let columns = """
    SELECT d.id, d.kind, d.state, d.person_id, d.other_person_id, d.version, d.created, \
    x.id AS merge_id, x.survivor_id, x.merged_id, x.former_state, x.join_day, x.transfer_id, \
    x.correction_id, x.away_report_id, x.away_state, \
    m.member_number AS number_1, m.state AS state_1, m.managing_organization_id AS manager_1, \
    n.member_number AS number_2, n.state AS state_2, n.managing_organization_id AS manager_2, \
    \(path(of: "m")) AS path_1, \(path(of: "n")) AS path_2
    """
  private static let others = """
    JOIN enrollments AS e ON e.id = d.enrollment_id \
    LEFT JOIN memberships AS m ON m.id = d.person_id \
    LEFT JOIN memberships AS n ON n.id = d.other_person_id \
    LEFT JOIN merges AS x ON x.duplicate_id = d.id AND x.undone IS NULL
    """

  /// The path of the organization that manages a membership, or else of the enrollment.
  private static func path(of membership: String) -> String {
    """
    (SELECT o.path FROM organizations AS o \
    WHERE o.id = COALESCE(\(membership).managing_organization_id, e.organization_id))
    """
  }

  static func byID(_ id: String) -> Query<StoredDuplicate?> {
    .first("\(selection) WHERE d.id = ?1", [id], duplicate)
  }

  private static func condition(_ states: [DuplicateState]) -> String {
    "d.state IN (\(states.map { "'\($0.word)'" }.joined(separator: ", ")))"
  }

  /// Returns the rows of a list: only those of one state have an index in the order of lists.
  static func rows(_ states: [DuplicateState]) -> ListRows {
    states.count == 1
      ? ListRows(of: "duplicate_cases AS d WHERE \(condition(states))") : .unindexed
  }

  /// Returns the place of the duplicate that follows on some number of others after a place; `nil`
  /// if there are no more than those.
  static func place(
    after: ListPlace, states: [DuplicateState], skipping count: Int
  ) -> Query<ListPlace?> {
    .first(
      """
      SELECT d.created, d.id FROM duplicate_cases AS d
      WHERE \(condition(states)) AND (d.created, d.id) > (?1, ?2)
      ORDER BY d.created, d.id LIMIT 1 OFFSET \(count)
      """, after.values
    ) { row in ListPlace(number: try row.integer("created"), id: try row.text("id")) }
  }

  /// Returns a page of duplicates with both persons in a subtree, oldest first; only those before a
  /// place, if there is one.
  static func page(
    of range: PathRange, states: [DuplicateState], by plan: ListPlan, before end: ListPlace?,
    after: ListPlace, limit: Int
  ) -> Query<[StoredDuplicate]> {
    // The subtree's organizations lead to the duplicates of first persons only. The paths of both
    // persons are compared in either plan.
    let (tables, led) =
      plan == .rows
      ? ("duplicate_cases AS d", "")
      : (
        plan.tables("duplicate_cases AS d"),
        "AND d.organization_id = o.id AND o.path >= ?4 AND o.path < ?5"
      )
    return .all(
      """
      \(columns) FROM \(tables) \(others)
      WHERE \(condition(states)) AND (d.created, d.id) > (?1, ?2) \(led)
        \(end == nil ? "" : "AND (d.created, d.id) < (?6, ?7)")
        AND \(path(of: "m")) >= ?4 AND \(path(of: "m")) < ?5
        AND \(path(of: "n")) >= ?4 AND \(path(of: "n")) < ?5
      ORDER BY d.created, d.id LIMIT ?3
      """, after.values + [limit, range.first, range.end] + (end?.values ?? []), duplicate)
  }

  /// Returns the statement that makes duplicates follow their first persons, who are managed by
  /// another organization now.
  static func move(_ persons: [String], to organizationID: String) -> Statement {
    let list = InList(persons, first: 2)
    return Statement(
      "UPDATE duplicate_cases SET organization_id = ?1 WHERE person_id IN \(list.sql)",
      [organizationID] + list.arguments)
  }

  /// Returns whether two persons are or were a possible duplicate of each other.
  static func isKnown(_ one: String, _ other: String) -> Query<Bool> {
    .exists(
      """
      SELECT id FROM duplicate_cases WHERE person_id = ?1 AND other_person_id = ?2
      UNION ALL
      SELECT id FROM duplicate_cases WHERE person_id = ?2 AND other_person_id = ?1
      """, [one, other])
  }

  /// Returns the records merged into one.
  static func merged(into survivor: String) -> Query<[String]> {
    .all(
      "SELECT merged_id FROM merges WHERE survivor_id = ?1 AND undone IS NULL", [survivor]
    ) { row in try row.text("merged_id") }
  }

  /// Returns all merges into one, including undone ones.
  static func merges(into survivor: String) -> Query<[PastMerge]> {
    .all(
      """
      SELECT x.merged_id, x.join_day AS day_before, x.undone, m.join_day FROM merges AS x
      JOIN memberships AS m ON m.id = x.merged_id WHERE x.survivor_id = ?1
      """, [survivor]
    ) { row in
      PastMerge(
        mergedID: try row.text("merged_id"), joinDay: try row.int("join_day"),
        dayBefore: try row.int("day_before"), stands: try row.isNull("undone"))
    }
  }

  /// A guard that detects a concurrent undo of a merge into the survivor.
  static func areStill(_ count: Int, into survivor: String) -> Statement {
    Statement(
      "UPDATE merges SET undone = undone WHERE survivor_id = ?1 AND undone IS NULL", [survivor],
      expects: .exactly(count))
  }

  /// - Parameter stored: The changed duplicate, with its version incremented.
  static func update(_ stored: StoredDuplicate) -> Statement {
    Statement(
      "UPDATE duplicate_cases SET state = ?2, version = ?3 WHERE id = ?1 AND version = ?3 - 1",
      [stored.id, stored.progress.state.word, stored.version], expects: .exactly(1))
  }

  static func insert(_ merge: StoredMerge, of duplicateID: String, at now: Int64) -> Statement {
    Statement(
      """
      INSERT INTO merges (
        id, duplicate_id, survivor_id, merged_id, former_state, join_day, transfer_id, created,
        correction_id, away_report_id, away_state
      ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
      """,
      [
        merge.id, duplicateID, merge.survivorID, merge.mergedID, merge.former.rawValue,
        merge.joinDay, merge.transferID, now, merge.correctionID, merge.awayReportID,
        merge.awayState.rawValue,
      ], expects: .exactly(1))
  }

  static func undo(_ merge: StoredMerge, at now: Int64) -> Statement {
    Statement(
      "UPDATE merges SET undone = ?2 WHERE id = ?1 AND undone IS NULL", [merge.id, now],
      expects: .exactly(1))
  }

  @Sendable private static func duplicate(_ row: Row) throws -> StoredDuplicate {
    let people = [try row.text("person_id"), try row.text("other_person_id")]
    let parties = try people.enumerated().map { index, id in
      var party = DuplicateParty()
      guard let number = try row.optionalText("number_\(index + 1)") else { return party }
      party.member = "members/\(id)"
      party.memberNumber = number
      party.state = MembershipState(rawValue: try row.int32("state_\(index + 1)"))
      party.managingOrganization = "organizations/\(try row.text("manager_\(index + 1)"))"
      return party
    }
    let merge = try row.optionalText("merge_id").map { id in
      StoredMerge(
        id: id, survivorID: try row.text("survivor_id"), mergedID: try row.text("merged_id"),
        former: MembershipState(rawValue: try row.int32("former_state")),
        joinDay: try row.int("join_day"), transferID: try row.optionalText("transfer_id"),
        correctionID: try row.optionalText("correction_id"),
        awayReportID: try row.optionalText("away_report_id"),
        awayState: AwayState(rawValue: try row.int32("away_state")))
    }
    let kind = DuplicateCase.Kind(rawValue: try row.text("kind"))
    return StoredDuplicate(
      id: try row.text("id"), kind: kind == .phone ? .phone : .nameAndBirthDate,
      progress: DuplicateProgress(DuplicateState(word: try row.text("state"))),
      personID: people[0], otherPersonID: people[1], version: try row.integer("version"),
      created: try row.integer("created"), merge: merge,
      paths: [try row.text("path_1"), try row.text("path_2")], parties: parties)
  }
}

extension DuplicateState {
  /// The state's word in the table.
  var word: String {
    switch self {
    case .open: "OPEN"
    case .same: "SAME"
    case .distinct: "DISTINCT"
    case .undone: "UNDONE"
    case .unspecified, .unrecognized: ""
    }
  }

  init(word: String) { self = Self.allCases.first { $0.word == word } ?? .unspecified }
}
