public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists an organization's codes, newest first.
  public func listOrganizationCodes(
    _ request: ListOrganizationCodesRequest, context: ServerContext
  ) async throws -> ListOrganizationCodesResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let id = try ResourceName.parse(
      request.organization, collection: "organizations", field: "organization")
    let tokenScope = ["ListOrganizationCodes", caller.subject, id, "\(request.includeEnded)"]
    let after = try keys.pages.decode(request.pageToken, scope: tokenScope)
    let now = clock.microseconds
    let (scope, organization, page) = try await database.read(
      StaffScope.query(of: caller), OrganizationStore.byID(id),
      CodeStore.page(
        of: id, holdingAt: request.includeEnded ? nil : now, after: after, limit: size + 1))
    guard let organization, scope.holds(organization.path) else {
      throw MembersError.organizationNotFound
    }
    var response = ListOrganizationCodesResponse()
    response.codes = page.prefix(size).map { code in
      code.holds(at: now) ? message(of: code) : code.message()
    }
    if page.count > size {
      let last = page[size - 1]
      response.nextPageToken = try keys.pages.encode([last.created, last.id], scope: tokenScope)
    }
    return response
  }
}
