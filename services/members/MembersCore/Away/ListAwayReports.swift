public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The largest number of reports that are sorted for each page: about 10 ms. Organizations that
  /// have none would have to be passed over one by one.
  private static let gatheredMax = 2_000

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

  /// Reads a page, with a query plan that fits the number of reports.
  private func reports(_ page: AwayStore.Page) async throws -> [PlacedAwayReport] {
    let count = try await database.read(
      AwayStore.size(page.states, upTo: Self.gatheredMax + 1))
    if count <= Self.gatheredMax { return try await database.read(AwayStore.gathered(page)) }
    guard let place = page.after else {
      return try await database.read(AwayStore.following(page))
    }
    let (rest, following) = try await database.read(
      AwayStore.rest(page, at: place), AwayStore.following(page))
    return Array((rest + following).prefix(page.limit))
  }
}
