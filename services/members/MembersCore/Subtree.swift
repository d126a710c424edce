import Protobuf
import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The subtree that a list or a count is about: of `ancestor`, or of the caller's own
  /// organization where it is empty.
  ///
  /// - Throws: ``CommonFailure/outOfScope`` where it is not in the caller's subtree, or unknown.
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

/// What a list is filtered by.
enum Filter {
  /// The values that are asked for, each once, in the order of their numbers; `standard` where none
  /// is.
  ///
  /// - Throws: INVALID_VALUE for the first that the enumeration has not.
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

/// The size of a page (AIP-158).
enum PageSize {
  static let normal = 50
  static let max = 1_000

  /// 50 where none is asked for; more than 1,000 is 1,000.
  static func rows(_ requested: Int32) throws(FieldFailure) -> Int {
    guard requested >= 0 else {
      throw FieldFailure(
        field: "page_size", reason: "OUT_OF_RANGE",
        text: LocalizedText(
          zh: "page_size 应为 0 至 1000。", en: "page_size must be 0 to 1,000."))
    }
    return requested == 0 ? normal : min(Int(requested), max)
  }
}
