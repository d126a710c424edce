import Protobuf
import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns the subtree of `ancestor`, or of the caller's own organization if empty, for lists and
  /// counts.
  ///
  /// - Throws: ``CommonFailure/outOfScope`` if `ancestor` is unknown or not in the caller's
  ///   subtree.
  func subtree(
    of ancestor: String, for caller: Caller, field: String = "ancestor"
  ) async throws -> PathRange {
    let scope = StaffScope.query(of: caller)
    guard !ancestor.isEmpty else {
      guard let path = try await database.read(scope).path else { throw CommonFailure.outOfScope }
      return PathRange(subtreeOf: path)
    }
    let id = try ResourceName.parse(ancestor, collection: "organizations", field: field)
    let (held, organization) = try await database.read(scope, OrganizationStore.byID(id))
    guard let organization, held.holds(organization.path) else { throw CommonFailure.outOfScope }
    return PathRange(subtreeOf: organization.path)
  }
}

/// Filters of lists.
enum Filter {
  /// Returns the requested values without duplicates, in ascending order; `standard` if there are
  /// none.
  ///
  /// - Throws: INVALID_VALUE for the first value that the enumeration lacks.
  static func values<Value: Enumeration>(
    _ asked: [Value], _ field: String, standard: [Value] = []
  ) throws(FieldFailure) -> [Value] {
    let known = Value.allCases.filter { $0.rawValue != 0 }
    if let index = asked.firstIndex(where: { !known.contains($0) }) {
      throw .invalidValue("\(field)[\(index)]")
    }
    return asked.isEmpty ? standard : Set(asked).sorted { $0.rawValue < $1.rawValue }
  }
}

/// Page sizes (AIP-158).
enum PageSize {
  static let normal = 50
  static let max = 1_000

  /// Returns the page size: 50 if the request has none, at most 1,000.
  static func rows(_ requested: Int32) throws(FieldFailure) -> Int {
    guard requested >= 0 else {
      throw FieldFailure(
        field: "page_size", reason: "OUT_OF_RANGE",
        text: LocalizedText(
          zh: "应为 0 至 1000。", en: "must be 0 to 1,000."))
    }
    return requested == 0 ? normal : min(Int(requested), max)
  }
}

/// The two plans of a list of a subtree: from the subtree's organizations to their rows, which
/// costs a look-up for each organization, or from the rows in question to their organizations, if
/// there are few of them in the whole store.
enum ListPlan: Sendable {
  /// The maximum number of rows that are read and sorted for each page: about 10 ms.
  static let gatheredMax = 2_000

  case organizations
  case rows

  /// - Parameter rows: The number of rows in question, counted up to one more than the maximum.
  init(rows: Int) { self = rows <= Self.gatheredMax ? .rows : .organizations }

  /// The path of an organization in a condition. An expression prevents the use of the index on
  /// paths, on both engines.
  func path(_ column: String) -> String { self == .rows ? "(\(column) || '')" : column }

  /// Returns the query that counts rows for a plan.
  ///
  /// - Parameter rows: A table with a condition that an index serves.
  static func size(_ rows: String) -> Query<ListPlan> {
    Query<Int>.one(
      """
      SELECT count(*) AS size
      FROM (SELECT 1 AS one FROM \(rows) LIMIT \(gatheredMax + 1)) AS counted
      """
    ) { row in try row.int("size") }
    .map { ListPlan(rows: $0) }
  }
}
