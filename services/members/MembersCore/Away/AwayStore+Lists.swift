import MembersV1
import Storage

/// The SQL of lists of away reports, in the tree order of the organizations that manage their
/// members, then by state and identifier.
extension AwayStore {
  /// The rows of a page.
  struct Page: Sendable {
    let range: PathRange
    let states: [AwayState]
    let isSampled: Bool
    /// The place of the last row of the previous page; `nil` for the first page.
    let after: Place?
    let limit: Int
  }

  /// The place of a row: the path of its organization, its state and its identifier.
  struct Place: Sendable {
    let path: SQLValue
    let state: SQLValue
    let id: SQLValue

    /// - Parameter values: The values of a page token; `nil` for the first page.
    init?(_ values: [SQLValue]?) throws {
      guard let values else { return nil }
      guard values.count == 3 else { throw StorageError.invalidPageToken }
      (path, state, id) = (values[0], values[1], values[2])
    }
  }

  /// Returns the number of reports in some states, counted up to `most`.
  static func size(_ states: [AwayState], upTo most: Int) -> Query<Int> {
    .one(
      """
      SELECT count(*) AS size FROM (
        SELECT a.id FROM away_reports AS a WHERE a.state IN (\(numbers(states))) LIMIT ?1
      ) AS counted
      """, [most]
    ) { row in try row.int("size") }
  }

  /// Returns a page out of few reports, which are all read and sorted.
  static func gathered(_ page: Page) -> Query<[PlacedAwayReport]> {
    let after = page.after
    return .all(
      """
      SELECT \(columns) FROM away_reports AS a CROSS JOIN organizations AS o
      WHERE o.id = a.managing_organization_id AND a.state IN (\(numbers(page.states)))
        AND o.path >= ?1 AND o.path < ?2 \(page.ofSample)
        AND (o.path, a.state, a.id) > (?3, ?4, ?5)
      ORDER BY o.path, a.state, a.id LIMIT ?6
      """,
      [
        page.range.first, page.range.end, after?.path ?? .text(""), after?.state ?? .integer(0),
        after?.id ?? .text(""), page.limit,
      ], placed)
  }

  /// Returns the remaining reports of the organization in which the last page ended.
  static func rest(_ page: Page, at place: Place) -> Query<[PlacedAwayReport]> {
    walked(
      page, "o.path = ?1 AND (a.state, a.id) > (?2, ?3)", [place.path, place.state, place.id])
  }

  /// Returns the reports of the organizations after the one in which the last page ended: an index
  /// scan over the paths, with one index range per organization and state.
  static func following(_ page: Page) -> Query<[PlacedAwayReport]> {
    walked(
      page, "o.path >= ?1 AND o.path < ?2 AND o.path > ?3",
      [page.range.first, page.range.end, page.after?.path ?? .text("")])
  }

  /// CROSS JOIN fixes the join order on SQLite; PostgreSQL reorders it freely.
  private static func walked(
    _ page: Page, _ condition: String, _ arguments: [any SQLValueConvertible]
  ) -> Query<[PlacedAwayReport]> {
    .all(
      """
      SELECT \(columns) FROM organizations AS o CROSS JOIN away_reports AS a
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
