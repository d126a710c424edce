public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns the settings that apply in a region.
  public func getRegionSettings(
    _ request: GetRegionSettingsRequest, context: ServerContext
  ) async throws -> GetRegionSettingsResponse {
    let code = try RegionSetting.code(named: request.name, field: "name")
    guard RegionTable.shared.isCurrent(code) else { throw MembersError.regionNotFound }
    let regions = StoredOrganization.settingRegionCodes(of: code)
    let settings = try await database.read(RegionSettingStore.byRegions(regions))
    return .with { $0.settings = settings.applying(in: code).message }
  }
}

extension RegionSetting {
  /// Returns the code in the resource name of a region's settings.
  static func code(named name: String, field: String) throws(FieldFailure) -> String {
    let code = name.dropFirst("regionSettings/".count)
    guard name.hasPrefix("regionSettings/"), code.utf8.count == 6,
      code.utf8.allSatisfy(\.isASCIIDigit)
    else {
      throw FieldFailure(
        field: field, reason: name.isEmpty ? "REQUIRED" : "INVALID_NAME",
        text: LocalizedText(
          zh: "应为 regionSettings/ 加 6 位代码。",
          en: "must be regionSettings/ and a code of 6 digits."))
    }
    return String(code)
  }
}

/// The settings that apply in a region.
struct AppliedSetting: Sendable {
  /// The settings, with the region's own code; version 0 if it has none of its own.
  var setting: RegionSetting
  /// The code of the region whose settings apply instead; `nil` for its own, and for the defaults.
  var source: String?

  var message: RegionSettings {
    var message = RegionSettings()
    message.name = "regionSettings/\(setting.regionCode)"
    message.rules = setting.rules.map(\.route)
    message.approveFirst = setting.approveFirst
    message.poolDays = Int32(setting.poolDays)
    message.poolCustodian = setting.poolCustodian
    message.transferDays = Int32(setting.transferDays)
    message.unitThreshold = Int32(setting.unitThreshold)
    message.etag = Etag.text(setting.version)
    message.inheritedFrom = source.map { "regionSettings/\($0)" } ?? ""
    return message
  }
}

extension [RegionSetting] {
  /// Returns what applies in a region: its own settings, or else those of the smallest region that
  /// contains it, or the defaults.
  func applying(in code: String) -> AppliedSetting {
    guard let found = narrowest(of: StoredOrganization.settingRegionCodes(of: code)) else {
      return AppliedSetting(setting: RegionSetting(regionCode: code))
    }
    if found.regionCode == code { return AppliedSetting(setting: found) }
    var setting = found
    (setting.regionCode, setting.version) = (code, 0)
    return AppliedSetting(setting: setting, source: found.regionCode)
  }
}
