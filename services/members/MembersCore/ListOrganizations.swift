public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Up to so many organizations of a subtree are gathered and sorted for each page: some 10 ms.
  private static let gatheredMax = 5_000

  /// Lists the organizations of a subtree by external id.
  public func listOrganizations(
    _ request: ListOrganizationsRequest, context: ServerContext
  ) async throws -> ListOrganizationsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let scope =
      ["ListOrganizations", caller.subject, range.first] + request.kinds.map { "\($0.rawValue)" }
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let count = try await database.read(
      OrganizationStore.size(of: range, upTo: Self.gatheredMax + 1))
    let page = try await database.read(
      OrganizationStore.page(
        of: range, kinds: request.kinds, after: after, limit: size + 1,
        isSmall: count <= Self.gatheredMax))
    var response = ListOrganizationsResponse()
    response.organizations = page.prefix(size).map { $0.message }
    if page.count > size {
      response.nextPageToken = try keys.pages.encode([page[size - 1].externalID], scope: scope)
    }
    return response
  }
}
