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
