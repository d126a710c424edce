import MembersV1
import ServiceKit
import Storage

/// The SQL of region settings.
enum RegionSettingStore {
  private static let selection = """
    SELECT region_code, rules, approve_first, pool_days, pool_custodian, transfer_days, \
    unit_threshold, version FROM region_settings
    """

  static func byRegions(_ codes: [String]) -> Query<[RegionSetting]> {
    let list = InList(codes)
    return .all("\(selection) WHERE region_code IN \(list.sql)", list.arguments, setting)
  }

  static let all = Query<[RegionSetting]>.all(selection, [], setting)

  static func page(after code: SQLValue, limit: Int) -> Query<[RegionSetting]> {
    .all(
      "\(selection) WHERE region_code > ?1 ORDER BY region_code LIMIT ?2", [code, limit], setting)
  }

  @Sendable private static func setting(_ row: Row) throws -> RegionSetting {
    var setting = RegionSetting(regionCode: try row.text("region_code"))
    setting.rules = try row.text("rules").split(separator: " ").compactMap {
      RoutingRule(rawValue: String($0))
    }
    setting.approveFirst = try row.boolean("approve_first")
    setting.poolDays = try row.int("pool_days")
    setting.poolCustodian = try row.text("pool_custodian")
    setting.transferDays = try row.int("transfer_days")
    setting.unitThreshold = try row.int("unit_threshold")
    setting.version = try row.integer("version")
    return setting
  }

  /// Returns the statement that stores a configured setting, unless the region has one.
  static func begin(_ setting: RegionSetting) -> Statement {
    var first = setting
    first.version = 1
    return Statement("\(insertion) ON CONFLICT (region_code) DO NOTHING", values(first))
  }

  /// - Parameter setting: The new or changed setting, with its version incremented.
  static func set(_ setting: RegionSetting) -> Statement {
    Statement(
      """
      \(insertion) ON CONFLICT (region_code) DO UPDATE SET
        rules = excluded.rules, approve_first = excluded.approve_first,
        pool_days = excluded.pool_days, pool_custodian = excluded.pool_custodian,
        transfer_days = excluded.transfer_days, unit_threshold = excluded.unit_threshold,
        version = excluded.version
      WHERE region_settings.version = excluded.version - 1
      """, values(setting), expects: .exactly(1))
  }

  private static let insertion = """
    INSERT INTO region_settings (
      region_code, rules, approve_first, pool_days, pool_custodian, transfer_days,
      unit_threshold, version
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    """

  private static func values(_ setting: RegionSetting) -> [any SQLValueConvertible] {
    [
      setting.regionCode, setting.rules.map(\.rawValue).joined(separator: " "),
      setting.approveFirst, setting.poolDays, setting.poolCustodian, setting.transferDays,
      setting.unitThreshold, setting.version,
    ]
  }
}

extension MembersService {
  /// Prepares the store: migrates its schema and stores the configured settings of regions that
  /// have none. Must be called once, before the first request.
  ///
  /// - Throws: `StorageError`.
  public func prepare() async throws {
    try await database.migrate(MembersMigrations.all)
    let (regions, now) = (configuration.regions, clock.now)
    try await database.write {
      .read(RegionSettingStore.byRegions(regions.map(\.regionCode))) { stored in
        let known = Set(stored.map(\.regionCode))
        let missing = regions.filter { !known.contains($0.regionCode) }
        guard !missing.isEmpty else { return .reply(()) }
        var commit = Commit(at: now)
        for setting in missing { commit.run(RegionSettingStore.begin(setting)) }
        commit.changeUnitThresholds()
        return .commit(commit, ())
      }
    }
  }
}

extension StoredOrganization {
  /// The regions whose settings apply to the organization, smallest first.
  var settingRegionCodes: [String] { Self.settingRegionCodes(of: regionCode) }

  /// The regions whose settings apply in a region, smallest first.
  static func settingRegionCodes(of regionCode: String) -> [String] {
    EnrollmentApplication.Area(code: regionCode, label: LocalizedText(zh: "", en: "")).regionCodes
      .filter { $0.utf8.count == 6 }
  }
}
