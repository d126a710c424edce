import MembersV1
import Storage

/// The SQL of lists of enrollments and of decisions on them.
extension EnrollmentStore {
  /// The position of the last row of a queue's page.
  struct Place: Sendable {
    /// The path of the organization; empty for the first page.
    var path = ""
    var state: Int64 = 0
    var created: Int64 = 0
    var id = ""

    var values: [any SQLValueConvertible] { [path, state, created, id] }

    init(_ row: PlacedEnrollment) {
      path = row.path
      state = Int64(row.enrollment.state.rawValue)
      created = row.enrollment.created
      id = row.enrollment.id
    }

    /// - Parameter values: The values of a page token; `nil` for the first page.
    init(_ values: [SQLValue]?) throws {
      guard let values else { return }
      guard values.count == 4, case .text(let path) = values[0],
        case .integer(let state) = values[1], case .integer(let created) = values[2],
        case .text(let id) = values[3]
      else { throw StorageError.invalidPageToken }
      (self.path, self.state, self.created, self.id) = (path, state, created, id)
    }
  }

  /// Returns the remaining queue of the organization in which the last page ended.
  static func queue(
    at place: Place, states: [EnrollmentState], limit: Int
  ) -> Query<[PlacedEnrollment]> {
    .all(
      """
      \(selection)
      WHERE o.path = ?1 AND e.state IN (\(numbers(states)))
        AND (e.state, e.created, e.id) > (?2, ?3, ?4)
      ORDER BY e.state, e.created, e.id LIMIT ?5
      """, [place.path, place.state, place.created, place.id, limit], placed)
  }

  /// The condition of an index of the enrollments that wait for a decision.
  private static let areWaiting = "e.state IN (\(numbers([.held, .pending])))"

  /// Returns the rows of a list: only enrollments that wait have an index of their own.
  static func rows(_ states: [EnrollmentState]) -> ListRows {
    Set(states).isSubset(of: [.held, .pending])
      ? ListRows(of: "enrollments AS e WHERE \(areWaiting)") : .unindexed
  }

  /// Returns the queues of a subtree's organizations after one, in tree order: an index scan over
  /// the paths, with one index range per organization and state; or all that wait, sorted.
  static func queue(
    of range: PathRange, after path: String, states: [EnrollmentState], by plan: ListPlan,
    limit: Int
  ) -> Query<[PlacedEnrollment]> {
    let column = plan.path("o.path")
    return .all(
      """
      \(selection(by: plan))
        AND \(column) >= ?1 AND \(column) < ?2 AND \(column) > ?3
        AND e.state IN (\(numbers(states))) \(plan == .rows ? "AND \(areWaiting)" : "")
      ORDER BY o.path, e.state, e.created, e.id LIMIT ?4
      """, [range.first, range.end, path, limit], placed)
  }

  /// Returns the enrollments submitted by a caller, oldest first.
  static func made(
    by caller: String, after created: SQLValue, _ id: SQLValue, limit: Int
  ) -> Query<[PlacedEnrollment]> {
    .all(
      """
      \(selection)
      WHERE e.caller = ?1 AND (e.created, e.id) > (?2, ?3) ORDER BY e.created, e.id LIMIT ?4
      """, [caller, created, id, limit], placed)
  }

  /// Returns the enrollments of a person, oldest first. The limit exceeds what a person submits.
  static func all(of person: String) -> Query<[PlacedEnrollment]> {
    .all(
      "\(selection) WHERE e.person_id = ?1 ORDER BY e.created, e.id LIMIT 10000", [person], placed)
  }

  /// Returns the number of undecided enrollments of an organization.
  static func waiting(at organizationID: String) -> Query<Int> {
    .one(
      """
      SELECT count(*) AS n FROM enrollments
      WHERE organization_id = ?1 AND state IN (\(numbers([.held, .pending])))
      """, [organizationID]
    ) { row in try row.int("n") }
  }

  /// A guard that detects an application that began to wait for an organization concurrently.
  static func noneWaiting(at organizationID: String) -> Statement {
    Statement(
      """
      UPDATE enrollments SET version = version
      WHERE organization_id = ?1 AND state IN (\(numbers([.held, .pending])))
      """, [organizationID], expects: .exactly(0))
  }

  /// The maximum number of a person's undecided enrollments that one approval settles.
  static let settledMax = 100

  /// Returns the undecided enrollments of the person of an enrollment, without that one.
  static func others(of id: String) -> Query<[PlacedEnrollment]> {
    .all(
      """
      \(selection)
      WHERE e.person_id = (SELECT person_id FROM enrollments WHERE id = ?1) AND e.id <> ?1
        AND e.state IN (\(numbers([.held, .pending]))) ORDER BY e.state DESC, e.id LIMIT ?2
      """, [id, settledMax], placed)
  }

  /// Returns the normalized application, sealed under the person's key.
  static func application(of id: String) -> Query<[UInt8]?> {
    .first("SELECT application FROM enrollments WHERE id = ?1", [id]) { row in
      try row.blob("application")
    }
  }

  /// Returns the statement that stores a decision.
  ///
  /// - Parameter enrollment: The decided enrollment, with its version incremented.
  static func decide(_ enrollment: StoredEnrollment) -> Statement {
    Statement(
      """
      UPDATE enrollments SET state = ?2, refusal = ?3, member_id = ?4, version = ?5
      WHERE id = ?1 AND version = ?5 - 1
      """,
      [
        enrollment.id, enrollment.state.rawValue, enrollment.refusal, enrollment.memberID,
        enrollment.version,
      ], expects: .exactly(1))
  }

  /// Returns the statement that deletes a person's open enrollment, so that they may submit another
  /// one.
  static func close(_ enrollment: StoredEnrollment) -> Statement {
    Statement(
      "DELETE FROM open_enrollments WHERE person_id = ?1 AND enrollment_id = ?2",
      [enrollment.personID, enrollment.id], expects: .exactly(1))
  }

  /// The largest number of undecided enrollments that are read of persons who are erased: more than
  /// anybody submits for them.
  static let waitingMax = 10_000

  /// Returns the undecided enrollments of persons.
  static func waiting(of persons: [String]) -> Query<[PlacedEnrollment]> {
    let list = InList(persons, first: 2)
    return .all(
      """
      \(selection)
      WHERE e.person_id IN \(list.sql) AND e.state IN (\(numbers([.held, .pending])))
      ORDER BY e.id LIMIT ?1
      """, [waitingMax] + list.arguments, placed)
  }

  /// Returns the statement that withdraws a person's undecided enrollments without events.
  static func withdrawWaiting(
    of person: String, expects: Statement.Expectation
  ) -> Statement {
    Statement(
      """
      UPDATE enrollments SET state = ?2, version = version + 1
      WHERE person_id = ?1 AND state IN (\(numbers([.held, .pending])))
      """, [person, EnrollmentState.withdrawn.rawValue], expects: expects)
  }

  private static func numbers(_ states: [EnrollmentState]) -> String {
    states.map { String($0.rawValue) }.sorted().joined(separator: ", ")
  }
}
