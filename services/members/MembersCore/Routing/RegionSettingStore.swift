import MembersV1
import ServiceKit
import Storage

/// The SQL of region settings. The table is a copy of the configuration at the last start, so that
/// decisions read it in their own transaction.
enum RegionSettingStore {
  private static let selection = """
    SELECT region_code, pool_first, approve_first, new_form_federation, pool_days, \
    pool_custodian, transfer_days, unit_threshold FROM region_settings
    """

  static func byRegions(_ codes: [String]) -> Query<[RegionSetting]> {
    let places = codes.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    return .all(
      "\(selection) WHERE region_code IN (\(places.isEmpty ? "NULL" : places))", codes, setting)
  }

  static let all = Query<[RegionSetting]>.all(selection, [], setting)

  @Sendable private static func setting(_ row: Row) throws -> RegionSetting {
    RegionSetting(
      regionCode: try row.text("region_code"), poolFirst: try row.boolean("pool_first"),
      approveFirst: try row.boolean("approve_first"),
      newFormFederation: try row.boolean("new_form_federation"),
      poolDays: try row.int("pool_days"), poolCustodian: try row.text("pool_custodian"),
      transferDays: try row.int("transfer_days"), unitThreshold: try row.int("unit_threshold"))
  }

  static func replaceAll(with settings: [RegionSetting], into commit: inout Commit) {
    commit.run("DELETE FROM region_settings")
    for setting in settings {
      commit.run(
        """
        INSERT INTO region_settings (
          region_code, pool_first, approve_first, new_form_federation, pool_days, pool_custodian,
          transfer_days, unit_threshold
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        """,
        [
          setting.regionCode, setting.poolFirst, setting.approveFirst, setting.newFormFederation,
          setting.poolDays, setting.poolCustodian, setting.transferDays, setting.unitThreshold,
        ], expects: .exactly(1))
    }
  }
}

extension MembersService {
  /// Prepares the store: migrates its schema and stores the configured region settings. Must be
  /// called once, before the first request.
  ///
  /// - Throws: `StorageError`.
  public func prepare() async throws {
    try await database.migrate(MembersMigrations.all)
    var commit = Commit(at: clock.now)
    RegionSettingStore.replaceAll(with: configuration.regions, into: &commit)
    try await database.write(commit)
  }
}

extension [RegionSetting] {
  /// Returns the setting of the first region that has one; `regionCodes` are ordered from the
  /// smallest region.
  func narrowest(of regionCodes: [String]) -> RegionSetting? {
    regionCodes.lazy.compactMap { code in first { $0.regionCode == code } }.first
  }
}

extension StoredOrganization {
  /// The regions whose settings apply to the organization, smallest first.
  var settingRegionCodes: [String] {
    EnrollmentApplication.Area(code: regionCode, label: LocalizedText(zh: "", en: "")).regionCodes
      .filter { $0.utf8.count == 6 }
  }
}
