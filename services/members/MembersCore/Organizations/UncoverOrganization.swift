public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Removes a relation created by ``coverOrganization(_:context:)``.
  public func uncoverOrganization(
    _ request: UncoverOrganizationRequest, context: ServerContext
  ) async throws -> UncoverOrganizationResponse {
    var payload = request
    payload.requestID = ""
    var response = UncoverOrganizationResponse()
    response.organization = try await changeCover(
      CoverOrder(
        requestID: request.requestID, name: request.name, organization: request.organization),
      payload: try payload.wireBytes(), action: "uncover", context: context
    ) { federation, union, isCovered, change in
      guard isCovered else { return nil }
      return Commit(
        at: change.now, statements: [OrganizationStore.uncover(federation.id, union.id)])
    }
    return response
  }
}
