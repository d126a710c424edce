import ServiceKit
import Storage

/// The two plans of a list of a subtree: from the subtree's organizations to their rows, which
/// costs a look-up for each organization, or from the rows in question to their organizations,
/// which costs a look-up for each row of the store.
///
/// Either may be the expensive one: a subtree of many organizations may have few rows, and the
/// store may have many rows, none of them in the subtree. So a page tries both with a bound, which
/// it doubles until one of them ends: it costs a small multiple of the cheaper one.
enum ListPlan: Sendable {
  /// The first bound, of organizations passed and of rows read and sorted: about 10 ms.
  static let gatheredMin = 2_000

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

/// The place of a row in a list by a number, such as its due day, and then by its identifier.
struct ListPlace: Sendable {
  let number: Int64
  let id: String

  init(number: Int64, id: String) { (self.number, self.id) = (number, id) }

  /// - Parameter values: The values of a page token; `nil` for the first page.
  init(_ values: [SQLValue]?) throws {
    guard let values else {
      (number, id) = (0, "")
      return
    }
    guard values.count == 2, case .integer(let number) = values[0], case .text(let id) = values[1]
    else { throw StorageError.invalidPageToken }
    (self.number, self.id) = (number, id)
  }

  var values: [any SQLValueConvertible] { [number, id] }
}

/// The rows of a list in the whole store.
struct ListRows: Sendable {
  /// A table with a condition that an index serves; `nil` if there is no such index, so that only
  /// organizations lead to the rows.
  private let table: String?

  static let unindexed = ListRows(table: nil)

  var isIndexed: Bool { table != nil }

  private init(table: String?) { self.table = table }

  /// - Parameter table: A table with a condition that an index serves.
  init(of table: String) { self.table = table }

  /// Returns whether there are more rows than `count`.
  func areMore(than count: Int) -> Query<Bool> {
    guard let table else { return .constant(true) }
    return .exists("SELECT 1 AS one FROM \(table) LIMIT 1 OFFSET \(count)")
  }
}

extension MembersService {
  /// Reads a page of rows in the tree order of their organizations, with a plan whose cost grows
  /// neither with the number of organizations nor with that of rows, if the other one is small.
  ///
  /// Few rows are read and sorted. Of many, the next organizations usually fill a page, and an
  /// index scan over their paths stops there.
  ///
  /// - Parameters:
  ///   - after: The path at which the last page ended; empty for the first page.
  ///   - page: Returns the query of the page, within a range of the subtree.
  func treePage<Row: Sendable>(
    of range: PathRange, after: String, limit: Int, _ rows: ListRows,
    _ page: (PathRange, ListPlan) -> Query<[Row]>
  ) async throws -> [Row] {
    guard rows.isIndexed else { return try await database.read(page(range, .organizations)) }
    var bound = ListPlan.gatheredMin
    while true {
      let (areMore, next) = try await database.read(
        rows.areMore(than: bound),
        OrganizationStore.path(in: range, after: after, skipping: bound))
      guard areMore else { return try await database.read(page(range, .rows)) }
      guard let next else { return try await database.read(page(range, .organizations)) }
      let near = try await database.read(page(range.before(next), .organizations))
      guard near.count < limit else { return near }
      bound *= 2
    }
  }

  /// Reads a page of rows in an order of their own, such as by due day: the rows in their order,
  /// until the page is full; or all rows of a subtree of few organizations, sorted.
  ///
  /// - Parameters:
  ///   - place: Returns the place of the row that follows on some number of others after the last
  ///     page; `nil` if there are no more than those.
  ///   - page: Returns the query of the page, with the rows before a place only.
  func orderedPage<Row: Sendable>(
    of range: PathRange, limit: Int, _ rows: ListRows,
    _ place: (Int) -> Query<ListPlace?>, _ page: (ListPlan, ListPlace?) -> Query<[Row]>
  ) async throws -> [Row] {
    guard rows.isIndexed else { return try await database.read(page(.organizations, nil)) }
    var bound = ListPlan.gatheredMin
    while true {
      let (end, next) = try await database.read(
        place(bound), OrganizationStore.path(in: range, after: "", skipping: bound))
      let near = try await database.read(page(.rows, end))
      guard end != nil, near.count < limit else { return near }
      guard next != nil else { return try await database.read(page(.organizations, nil)) }
      bound *= 2
    }
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
