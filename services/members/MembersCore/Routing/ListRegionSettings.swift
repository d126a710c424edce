public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the regions that have settings of their own, by code.
  public func listRegionSettings(
    _ request: ListRegionSettingsRequest, context: ServerContext
  ) async throws -> ListRegionSettingsResponse {
    let size = try PageSize.rows(request.pageSize)
    let scope = ["ListRegionSettings", try context.caller.subject]
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let rows = try await database.read(RegionSettingStore.page(after: after, limit: size + 1))
    var response = ListRegionSettingsResponse()
    response.settings = rows.prefix(size).map { AppliedSetting(setting: $0).message }
    if rows.count > size {
      response.nextPageToken = try keys.pages.encode([rows[size - 1].regionCode], scope: scope)
    }
    return response
  }
}
