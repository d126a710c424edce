import MembersV1
import ServiceKit

/// A routing rule (SPEC §3).
public enum RoutingRule: String, Codable, Sendable, CaseIterable {
  /// Rule 1 (重点建).
  case employerUnion = "EMPLOYER_UNION"
  /// Rule 2 (行业建).
  case industryFederation = "INDUSTRY_FEDERATION"
  /// Rule 3 (兜底建).
  case areaUnion = "AREA_UNION"
  /// Rule 3 of regions that chose their federation of new forms of employment (Henan).
  case newFormFederation = "NEW_FORM_FEDERATION"
  /// Rule 4 (周转池); in the first place, everybody is pooled first (Bengbu, Shenyang).
  case holdingPool = "HOLDING_POOL"

  /// The rules of a region without settings.
  static let standard: [RoutingRule] = [
    .employerUnion, .industryFederation, .areaUnion, .holdingPool,
  ]

  init?(_ route: Route) {
    guard let rule = Self.allCases.first(where: { $0.route == route }) else { return nil }
    self = rule
  }

  var route: Route {
    switch self {
    case .employerUnion: .employerUnion
    case .industryFederation: .industryFederation
    case .areaUnion: .areaUnion
    case .newFormFederation: .newFormFederation
    case .holdingPool: .holdingPool
    }
  }

  /// Returns what is wrong with a region's rules.
  static func faults(of rules: [RoutingRule]) -> [LocalizedText] {
    var faults: [LocalizedText] = []
    if Set(rules).count < rules.count {
      faults.append(LocalizedText(zh: "同一规则只能出现一次。", en: "each rule once"))
    }
    if !rules.contains(.holdingPool) {
      faults.append(
        LocalizedText(zh: "须包含周转池（HOLDING_POOL）。", en: "HOLDING_POOL must be among them"))
    }
    return faults
  }
}

/// The settings of a region; those of the smallest region that has some apply as a whole.
public struct RegionSetting: Codable, Sendable, Hashable {
  /// The GB/T 2260 code of a county, city or province; 6 digits.
  public var regionCode: String
  /// The routing rules in the order in which they are tried.
  public var rules: [RoutingRule]
  /// Whether enrollments routed to the pool wait for approval (Bengbu).
  public var approveFirst: Bool
  /// The days until a case of the region's holding pools is escalated one level; 1 to 365.
  public var poolDays: Int
  /// The external id of the organization that keeps the region's holding pools; empty for the one
  /// above each pool.
  public var poolCustodian: String
  /// The days that the receiver of a transfer has to decide, and then the level above it; 1 to 180.
  public var transferDays: Int
  /// The number of members of one unit in a township that opens a unit index; 2 to 100,000.
  public var unitThreshold: Int
  /// The version of the stored setting; 0 if the region has none of its own.
  var version: Int64 = 0

  /// The default of `poolDays`: half a month, because the papers give no figure.
  static let poolDaysNormal = 15
  /// The default of `transferDays`: half a month, because the papers give no figure.
  static let transferDaysNormal = 15
  /// The default of `unitThreshold` (Trade Union Law, art. 11).
  static let unitThresholdNormal = 25

  enum CodingKeys: String, CodingKey {
    case regionCode = "region_code"
    case rules
    case approveFirst = "approve_first"
    case poolDays = "pool_days"
    case poolCustodian = "pool_custodian"
    case transferDays = "transfer_days"
    case unitThreshold = "unit_threshold"
  }

  /// Creates a region with the given settings, and defaults for the others.
  public init(
    regionCode: String,
    rules: [RoutingRule] = [.employerUnion, .industryFederation, .areaUnion, .holdingPool],
    approveFirst: Bool = false, poolDays: Int = 15, poolCustodian: String = "",
    transferDays: Int = 15, unitThreshold: Int = 25
  ) {
    self.regionCode = regionCode
    self.rules = rules
    self.approveFirst = approveFirst
    self.poolDays = poolDays
    self.poolCustodian = poolCustodian
    self.transferDays = transferDays
    self.unitThreshold = unitThreshold
  }

  /// Decodes a region; omitted fields have their defaults.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(regionCode: try container.decode(String.self, forKey: .regionCode))
    rules = try container.decodeIfPresent([RoutingRule].self, forKey: .rules) ?? rules
    approveFirst = try container.decodeIfPresent(Bool.self, forKey: .approveFirst) ?? approveFirst
    poolDays = try container.decodeIfPresent(Int.self, forKey: .poolDays) ?? poolDays
    poolCustodian =
      try container.decodeIfPresent(String.self, forKey: .poolCustodian) ?? poolCustodian
    transferDays = try container.decodeIfPresent(Int.self, forKey: .transferDays) ?? transferDays
    unitThreshold = try container.decodeIfPresent(Int.self, forKey: .unitThreshold) ?? unitThreshold
  }

  /// The numbers with their names and limits.
  var numbers: [(field: String, range: ClosedRange<Int>, value: Int)] {
    [
      ("pool_days", 1...365, poolDays), ("transfer_days", 1...180, transferDays),
      ("unit_threshold", 2...100_000, unitThreshold),
    ]
  }
}

extension [RegionSetting] {
  /// Returns the setting of the first region that has one; `regionCodes` are ordered from the
  /// smallest region.
  func narrowest(of regionCodes: [String]) -> RegionSetting? {
    regionCodes.lazy.compactMap { code in first { $0.regionCode == code } }.first
  }
}
