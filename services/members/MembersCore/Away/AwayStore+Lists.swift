import MembersV1
import Storage

/// The SQL of lists of away reports, in the tree order of the organizations that manage their
/// members, then by state and identifier.
extension AwayStore {
  /// The rows of a page.
  struct Page: Sendable {
    var range: PathRange
    let states: [AwayState]
    let isSampled: Bool
    /// The place of the last row of the previous page; `nil` for the first page.
    let after: Place?
    var limit: Int
  }

  /// The place of a row: the path of its organization, its state and its identifier.
  struct Place: Sendable {
    let path: String
    let state: SQLValue
    let id: SQLValue

    /// - Parameter values: The values of a page token; `nil` for the first page.
    init?(_ values: [SQLValue]?) throws {
      guard let values else { return nil }
      guard values.count == 3, case .text(let path) = values[0] else {
        throw StorageError.invalidPageToken
      }
      (self.path, state, id) = (path, values[1], values[2])
    }
  }

  static func rows(_ states: [AwayState]) -> ListRows {
    ListRows(of: "away_reports AS a WHERE a.state IN (\(numbers(states)))")
  }

  /// Returns the remaining reports of the organization in which the last page ended.
  static func rest(_ page: Page, at place: Place) -> Query<[PlacedAwayReport]> {
    reports(
      page, by: .organizations, "o.path = ?1 AND (a.state, a.id) > (?2, ?3)",
      [place.path, place.state, place.id])
  }

  /// Returns the reports of the organizations after the one in which the last page ended: an index
  /// scan over the paths, with one index range per organization and state; or all reports in these
  /// states, sorted.
  static func following(_ page: Page, by plan: ListPlan) -> Query<[PlacedAwayReport]> {
    reports(
      page, by: plan, "o.path >= ?1 AND o.path < ?2 AND o.path > ?3",
      [page.range.first, page.range.end, page.after?.path ?? ""])
  }

  private static func reports(
    _ page: Page, by plan: ListPlan, _ condition: String,
    _ arguments: [any SQLValueConvertible]
  ) -> Query<[PlacedAwayReport]> {
    .all(
      """
      SELECT \(columns) FROM \(plan.tables("away_reports AS a"))
      WHERE o.id = a.managing_organization_id AND \(condition)
        AND a.state IN (\(numbers(page.states))) \(page.ofSample)
      ORDER BY o.path, a.state, a.id LIMIT ?4
      """, arguments + [page.limit], placed)
  }

  fileprivate static func numbers(_ states: [AwayState]) -> String {
    states.map { String($0.rawValue) }.sorted().joined(separator: ", ")
  }
}

extension AwayStore.Page {
  fileprivate var ofSample: String { isSampled ? "AND a.sample IS NOT NULL" : "" }
}
