public import MembersV1
public import RPC
import ServiceKit

extension MembersService {
  /// Returns a region in force or a retired one.
  public func getRegion(
    _ request: GetRegionRequest, context: ServerContext
  ) async throws -> GetRegionResponse {
    let code = try Self.regionCode(request.name, "name")
    guard let region = RegionTable.shared.message(of: code) else {
      throw MembersError.regionNotFound
    }
    var response = GetRegionResponse()
    response.region = region
    response.tableVersion = RegionData.version
    return response
  }
}
