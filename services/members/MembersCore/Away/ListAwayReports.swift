public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the away reports of a subtree.
  public func listAwayReports(
    _ request: ListAwayReportsRequest, context: ServerContext
  ) async throws -> ListAwayReportsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let states =
      try Filter.values(
        request.states, "states", standard: [.reported, .filed, .away, .returnedForFix])
    let scope =
      ["ListAwayReports", caller.subject, range.first, String(request.sampledOnly)]
      + states.map { String($0.rawValue) }
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let rows = try await database.read(
      AwayStore.page(
        of: range, states: states, isSampled: request.sampledOnly,
        after: after?.first ?? .text(""), after?.last ?? .text(""), limit: size + 1))
    var response = ListAwayReportsResponse()
    response.reports = rows.prefix(size).map(\.report.message)
    if rows.count > size {
      let last = rows[size - 1]
      response.nextPageToken = try keys.pages.encode([last.path, last.report.id], scope: scope)
    }
    return response
  }
}
