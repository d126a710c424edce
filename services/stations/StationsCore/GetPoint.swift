public import RPC
import ServiceKit
public import StationsV1

extension StationsService {
  /// Returns a point that the caller may see.
  public func getPoint(
    _ request: GetPointRequest, context: ServerContext
  ) async throws -> GetPointResponse {
    let id = try ResourceName.parse(request.name, collection: "points", field: "name")
    var response = GetPointResponse()
    response.point = try await point(id, for: context.caller).message
    return response
  }
}
