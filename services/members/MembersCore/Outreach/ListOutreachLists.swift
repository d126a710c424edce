public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the outreach lists of a subtree.
  public func listOutreachLists(
    _ request: ListOutreachListsRequest, context: ServerContext
  ) async throws -> ListOutreachListsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let scope = [
      "ListOutreachLists", caller.subject, range.first, String(request.includeClosed),
    ]
    let (path, id) = try keys.pages.place(request.pageToken, scope: scope)
    let rows = try await treePage(
      of: range, after: path, limit: size + 1, OutreachStore.rows
    ) { range, plan in
      OutreachStore.page(
        of: range, withClosed: request.includeClosed, by: plan, after: path, id, limit: size + 1)
    }
    var response = ListOutreachListsResponse()
    response.outreachLists = try rows.prefix(size).map { placed in
      var message = try placed.list.message()
      message.counts = []
      return message
    }
    if rows.count > size {
      let last = rows[size - 1]
      response.nextPageToken = try keys.pages.encode([last.path, last.list.id], scope: scope)
    }
    return response
  }
}
