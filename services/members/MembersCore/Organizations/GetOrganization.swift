public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns an organization of the caller's subtree.
  public func getOrganization(
    _ request: GetOrganizationRequest, context: ServerContext
  ) async throws -> GetOrganizationResponse {
    let id = try ResourceName.parse(request.name, collection: "organizations", field: "name")
    let (scope, organization) = try await database.read(
      StaffScope.query(of: try context.caller), OrganizationStore.byID(id))
    guard let organization, scope.holds(organization.path) else {
      throw MembersError.organizationNotFound
    }
    var response = GetOrganizationResponse()
    response.organization = organization.message
    return response
  }
}
