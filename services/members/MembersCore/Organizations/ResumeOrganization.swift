public import MembersV1
import Protobuf
public import RPC
import ServiceKit

extension MembersService {
  /// Reactivates a suspended organization.
  public func resumeOrganization(
    _ request: ResumeOrganizationRequest, context: ServerContext
  ) async throws -> ResumeOrganizationResponse {
    let order = try OrganizationOrder(
      requestID: request.requestID, name: request.name, etag: request.etag)
    var payload = request
    payload.requestID = ""
    var response = ResumeOrganizationResponse()
    response.organization = try await change(
      order, payload: try payload.wireBytes(), .resume, context: context)
    return response
  }
}
