public import MembersV1
import Protobuf
public import RPC
import ServiceKit

extension MembersService {
  /// Activates an organization founded by another administrator.
  public func approveOrganization(
    _ request: ApproveOrganizationRequest, context: ServerContext
  ) async throws -> ApproveOrganizationResponse {
    let order = try OrganizationOrder(
      requestID: request.requestID, name: request.name, etag: request.etag)
    var payload = request
    payload.requestID = ""
    var response = ApproveOrganizationResponse()
    response.organization = try await change(
      order, payload: try payload.wireBytes(), .approve, context: context
    ) { organization, caller in
      if organization.author == caller.subject { throw MembersError.approverIsAuthor }
    }
    return response
  }
}
