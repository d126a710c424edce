public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the units of a subtree's townships, by default those with an open index.
  public func listUnits(
    _ request: ListUnitsRequest, context: ServerContext
  ) async throws -> ListUnitsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let states =
      try Filter.values(request.states, "states", standard: [.triggered, .assigned, .guiding])
    let scope =
      ["ListUnits", caller.subject, range.first] + states.map { String($0.rawValue) }
    let (path, id) = try keys.pages.place(request.pageToken, scope: scope)
    let rows = try await treePage(
      of: range, after: path, limit: size + 1, UnitStore.rows(states)
    ) { range, plan in
      UnitStore.page(of: range, states: states, by: plan, after: path, id, limit: size + 1)
    }
    var response = ListUnitsResponse()
    response.units = try rows.prefix(size).map { try keys.message(of: $0.unit) }
    if rows.count > size {
      let last = rows[size - 1]
      response.nextPageToken = try keys.pages.encode([last.path, last.unit.id], scope: scope)
    }
    return response
  }
}
