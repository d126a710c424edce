import ServiceKit
import Storage

/// The two plans of a list of a subtree: from the subtree's organizations to their rows, which
/// costs a look-up for each organization, or from the rows in question to their organizations,
/// which costs a look-up for each row of the store.
enum ListPlan: Sendable {
  /// The maximum number of organizations passed, or of rows read and sorted, without a look at what
  /// the other plan would cost: about 10 ms.
  static let gatheredMax = 2_000

  case organizations
  case rows

  /// The tables in the order of the plan. CROSS JOIN fixes it on SQLite, whose planner knows no
  /// statistics; PostgreSQL reorders them freely.
  func tables(_ rows: String) -> String {
    self == .rows
      ? "\(rows) CROSS JOIN organizations AS o" : "organizations AS o CROSS JOIN \(rows)"
  }

  /// The path of an organization in a condition. An expression prevents the use of the index on
  /// paths, on both engines.
  func path(_ column: String) -> String { self == .rows ? "(\(column) || '')" : column }
}

/// The number of rows of a list in the whole store.
enum ListRows: Sendable {
  /// At most ``ListPlan/gatheredMax``.
  case few
  case many
  /// Not known: they have no index of their own, so that only organizations lead to them.
  case unindexed

  /// - Parameter rows: The number of rows, counted up to one more than the maximum.
  init(_ rows: Int) { self = rows <= ListPlan.gatheredMax ? .few : .many }

  /// Returns the query that counts rows.
  ///
  /// - Parameter rows: A table with a condition that an index serves.
  static func count(_ rows: String) -> Query<ListRows> {
    Query<Int>.one(
      """
      SELECT count(*) AS size
      FROM (SELECT 1 AS one FROM \(rows) LIMIT \(ListPlan.gatheredMax + 1)) AS counted
      """
    ) { row in try row.int("size") }
    .map { ListRows($0) }
  }
}

extension MembersService {
  /// Reads a page of rows in the tree order of their organizations, with a plan whose cost does not
  /// grow with the number of organizations.
  ///
  /// Few rows are read and sorted. Of many, the next organizations usually fill a page, and an
  /// index scan over their paths stops there; if ``ListPlan/gatheredMax`` of them do not, the rows
  /// are elsewhere, and are sorted instead of passing over all organizations without any.
  ///
  /// - Parameters:
  ///   - after: The path at which the last page ended; empty for the first page.
  ///   - page: Returns the query of the page, within a range of the subtree.
  func treePage<Row: Sendable>(
    of range: PathRange, after: String, limit: Int, _ rows: Query<ListRows>,
    _ page: (PathRange, ListPlan) -> Query<[Row]>
  ) async throws -> [Row] {
    let (rows, next) = try await database.read(
      rows, OrganizationStore.path(in: range, after: after, skipping: ListPlan.gatheredMax))
    guard rows != .few else { return try await database.read(page(range, .rows)) }
    guard rows == .many, let next else {
      return try await database.read(page(range, .organizations))
    }
    let near = try await database.read(page(range.before(next), .organizations))
    guard near.count < limit else { return near }
    return try await database.read(page(range, .rows))
  }

  /// Returns the plan of a page of rows in an order of their own, such as by due day: from the
  /// organizations of a small subtree; otherwise the rows in their order, until the page is full.
  func plan(_ rows: Query<ListRows>, of range: PathRange) async throws -> ListPlan {
    let (rows, next) = try await database.read(
      rows, OrganizationStore.path(in: range, after: "", skipping: ListPlan.gatheredMax))
    return rows == .few || (rows == .many && next != nil) ? .rows : .organizations
  }
}

extension PageTokenCodec {
  /// Returns the path and the identifier at which the last page ended; empty for the first page.
  func place(_ token: String, scope: [String]) throws -> (path: String, id: String) {
    guard let values = try decode(token, scope: scope) else { return ("", "") }
    guard values.count == 2, case .text(let path) = values[0], case .text(let id) = values[1]
    else { throw StorageError.invalidPageToken }
    return (path, id)
  }
}
