public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the bases of an organization by group and day.
  public func listBases(
    _ request: ListBasesRequest, context: ServerContext
  ) async throws -> ListBasesResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(
      of: request.organization, for: caller, field: "organization")
    let scope = ["ListBases", caller.subject, range.first]
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let rows = try await database.read(
      CoverageStore.bases(
        of: range.organizationID, after: after?.first ?? .integer(-1),
        after?.last ?? .integer(0), limit: size + 1))
    var response = ListBasesResponse()
    response.bases = rows.prefix(size).map(\.message)
    if rows.count > size {
      let last = rows[size - 1]
      response.nextPageToken = try keys.pages.encode(
        [last.group.rawValue, last.day], scope: scope)
    }
    return response
  }
}
