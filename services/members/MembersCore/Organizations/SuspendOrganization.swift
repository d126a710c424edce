public import MembersV1
import Protobuf
public import RPC
import ServiceKit

extension MembersService {
  /// Suspends an active organization: it keeps its members but receives none.
  public func suspendOrganization(
    _ request: SuspendOrganizationRequest, context: ServerContext
  ) async throws -> SuspendOrganizationResponse {
    let order = try OrganizationOrder(
      requestID: request.requestID, name: request.name, etag: request.etag, reason: request.reason)
    var payload = request
    payload.requestID = ""
    var response = SuspendOrganizationResponse()
    response.organization = try await change(
      order, payload: try payload.wireBytes(), .suspend, context: context)
    return response
  }
}
