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
    let page = AwayStore.Page(
      range: range, states: states, isSampled: request.sampledOnly,
      after: try AwayStore.Place(keys.pages.decode(request.pageToken, scope: scope)),
      limit: size + 1)
    let rows = try await reports(page)
    var response = ListAwayReportsResponse()
    response.reports = rows.prefix(size).map(\.report.message)
    if rows.count > size {
      let last = rows[size - 1]
      response.nextPageToken = try keys.pages.encode(
        [last.path, last.report.state.rawValue, last.report.id], scope: scope)
    }
    return response
  }

  /// Reads a page: the remaining reports of the organization in which the last page ended, then the
  /// following organizations.
  private func reports(_ page: AwayStore.Page) async throws -> [PlacedAwayReport] {
    var rows: [PlacedAwayReport] = []
    if let place = page.after { rows = try await database.read(AwayStore.rest(page, at: place)) }
    guard rows.count < page.limit else { return rows }
    var following = page
    following.limit -= rows.count
    return try await rows
      + treePage(
        of: page.range, after: page.after?.path ?? "", limit: following.limit,
        AwayStore.rows(page.states)
      ) { range, plan in
        following.range = range
        return AwayStore.following(following, by: plan)
      }
  }
}
