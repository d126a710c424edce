public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the rounds of a subtree with their progress, newest first.
  public func listRefreshRounds(
    _ request: ListRefreshRoundsRequest, context: ServerContext
  ) async throws -> ListRefreshRoundsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let scope =
      ["ListRefreshRounds", caller.subject, range.first, String(request.includeClosed)]
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let rows = try await database.read(
      RefreshStore.rounds(
        of: range, withClosed: request.includeClosed,
        after: (after?.first ?? .integer(.max), after?.last ?? .text("")), limit: size + 1))
    var response = ListRefreshRoundsResponse()
    response.rounds = rows.prefix(size).map(\.round.message)
    if rows.count > size {
      let last = rows[size - 1].round
      response.nextPageToken = try keys.pages.encode([last.created, last.id], scope: scope)
    }
    return response
  }
}
