public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists possible duplicates with both persons in a subtree, oldest first.
  public func listDuplicates(
    _ request: ListDuplicatesRequest, context: ServerContext
  ) async throws -> ListDuplicatesResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let states = try Filter.values(request.states, "states", standard: [.open])
    let scope =
      ["ListDuplicates", caller.subject, range.first] + states.map { "\($0.rawValue)" }
    let after = try ListPlace(keys.pages.decode(request.pageToken, scope: scope))
    let page = try await orderedPage(
      of: range, limit: size + 1, DuplicateStore.rows(states),
      { DuplicateStore.place(after: after, states: states, skipping: $0) },
      {
        DuplicateStore.page(
          of: range, states: states, by: $0, before: $1, after: after, limit: size + 1)
      })
    var response = ListDuplicatesResponse()
    response.duplicates = page.prefix(size).map(\.message)
    if page.count > size {
      let last = page[size - 1]
      response.nextPageToken = try keys.pages.encode([last.created, last.id], scope: scope)
    }
    return response
  }
}
