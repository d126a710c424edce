public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the records of a round, by default the stale ones.
  public func listRefreshRecords(
    _ request: ListRefreshRecordsRequest, context: ServerContext
  ) async throws -> ListRefreshRecordsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let id = try ResourceName.parse(request.round, collection: "refreshRounds", field: "round")
    // Without its progress, which would count the whole round for each page.
    let (held, placed) = try await database.read(
      StaffScope.query(of: caller), RefreshStore.byID(id))
    guard let placed, held.holds(placed.path) else { throw MembersError.refreshRoundNotFound }
    let states = try Filter.values(request.states, "states", standard: [.stale])
    let scope =
      ["ListRefreshRecords", caller.subject, id] + states.map { String($0.rawValue) }
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let rows = try await database.read(
      RefreshStore.records(of: id, states: states, after: after, limit: size + 1))
    var response = ListRefreshRecordsResponse()
    response.records = rows.prefix(size).map(\.message)
    if rows.count > size {
      response.nextPageToken = try keys.pages.encode([rows[size - 1].memberID], scope: scope)
    }
    return response
  }
}
