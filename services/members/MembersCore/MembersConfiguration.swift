public import ServiceKit

/// Configuration of yijia-members; see `config.example.yaml`.
public struct MembersConfiguration: Codable, Sendable, Hashable {
  /// The settings common to all services.
  public var service: ServiceConfiguration
  /// The maximum number of records of one bulk stream in progress; 1 to 1,000.
  public var enrollmentsInFlight: Int
  /// The maximum number of roster rows that an organization's staff may compare per day; 0 to
  /// 1,000,000,000.
  public var rosterRowsPerDay: Int
  /// The regions whose rules differ from the defaults.
  public var regions: [RegionSetting]
  /// The prefix of a code's link, e.g. `https://yijia.example/c/`; empty for no links. Ends in `/`
  /// or `=`; at most 200 characters.
  public var codeLink: String

  enum CodingKeys: String, CodingKey {
    case service
    case codeLink = "code_link"
    case enrollmentsInFlight = "enrollments_in_flight"
    case rosterRowsPerDay = "roster_rows_per_day"
    case regions
  }

  /// Creates the default configuration.
  public init() {
    service = ServiceConfiguration(name: "members", port: 7101)
    enrollmentsInFlight = 256
    rosterRowsPerDay = 2_000_000
    regions = []
    codeLink = ""
  }

  /// - Throws: ``ConfigurationError`` naming every field outside its limits.
  public func validate() throws { try Faults(faults()).check() }

  private func faults() -> [String] {
    var wrong = service.faults().map { "service.\($0)" }
    if !(1...1_000).contains(enrollmentsInFlight) {
      wrong.append("enrollments_in_flight: 1 to 1000")
    }
    if !codeLink.isEmpty, !Self.isLinkPrefix(codeLink) {
      wrong.append("code_link: starts with https:// or http://, ends in / or =, 200 characters")
    }
    if !(0...1_000_000_000).contains(rosterRowsPerDay) {
      wrong.append("roster_rows_per_day: 0 to 1000000000")
    }
    var seen: Set<String> = []
    for (index, region) in regions.enumerated() {
      let code = region.regionCode
      if code.utf8.count != 6 || !code.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) {
        wrong.append("regions[\(index)].region_code: 6 digits of a county, city or province")
      }
      if !(1...365).contains(region.poolDays) {
        wrong.append("regions[\(index)].pool_days: 1 to 365")
      }
      if !(1...180).contains(region.transferDays) {
        wrong.append("regions[\(index)].transfer_days: 1 to 180")
      }
      if !(2...100_000).contains(region.unitThreshold) {
        wrong.append("regions[\(index)].unit_threshold: 2 to 100000")
      }
      if !seen.insert(code).inserted { wrong.append("regions[\(index)].region_code: stated twice") }
    }
    return wrong
  }

  private static func isLinkPrefix(_ text: String) -> Bool {
    (text.hasPrefix("https://") || text.hasPrefix("http://"))
      && (text.hasSuffix("/") || text.hasSuffix("=")) && text.utf8.count <= 200
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}

/// The rules of a region where they differ from the defaults; the smallest configured region
/// applies.
public struct RegionSetting: Codable, Sendable, Hashable {
  /// The GB/T 2260 code of a county, city or province; 6 digits.
  public var regionCode: String
  /// Whether everybody goes to the holding pool first (Bengbu, Shenyang).
  public var poolFirst: Bool
  /// Whether enrollments routed to the pool wait for approval (Bengbu).
  public var approveFirst: Bool
  /// Whether the new-form federation of the county or city replaces the village and township unions
  /// (Henan).
  public var newFormFederation: Bool
  /// The days until a case of the region's holding pools is escalated one level; 1 to 365.
  public var poolDays: Int
  /// The external id of the organization that keeps the region's holding pools; empty for the one
  /// above each pool.
  public var poolCustodian: String

  /// The days that the receiver of a transfer has to decide, and then the level above it; 1 to 180.
  public var transferDays: Int

  /// The default of `poolDays`: half a month, because the papers give no figure.
  static let poolDaysNormal = 15
  /// The default of `transferDays`: half a month, because the papers give no figure.
  static let transferDaysNormal = 15

  /// The number of members of one unit in a township that opens a unit index; 2 to 100,000.
  public var unitThreshold: Int

  /// The default of `unitThreshold` (Trade Union Law, art. 11).
  static let unitThresholdNormal = 25

  enum CodingKeys: String, CodingKey {
    case regionCode = "region_code"
    case poolFirst = "pool_first"
    case approveFirst = "approve_first"
    case newFormFederation = "new_form_federation"
    case poolDays = "pool_days"
    case poolCustodian = "pool_custodian"
    case transferDays = "transfer_days"
    case unitThreshold = "unit_threshold"
  }

  /// Creates a region with the given rules, and defaults for the others.
  public init(
    regionCode: String, poolFirst: Bool = false, approveFirst: Bool = false,
    newFormFederation: Bool = false, poolDays: Int = 15, poolCustodian: String = "",
    transferDays: Int = 15,
    unitThreshold: Int = 25
  ) {
    self.regionCode = regionCode
    self.poolFirst = poolFirst
    self.approveFirst = approveFirst
    self.newFormFederation = newFormFederation
    self.poolDays = poolDays
    self.poolCustodian = poolCustodian
    self.transferDays = transferDays
    self.unitThreshold = unitThreshold
  }

  /// Decodes a region; omitted fields have their defaults.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    regionCode = try container.decode(String.self, forKey: .regionCode)
    poolFirst = try container.decodeIfPresent(Bool.self, forKey: .poolFirst) ?? false
    approveFirst = try container.decodeIfPresent(Bool.self, forKey: .approveFirst) ?? false
    newFormFederation =
      try container.decodeIfPresent(Bool.self, forKey: .newFormFederation) ?? false
    poolDays = try container.decodeIfPresent(Int.self, forKey: .poolDays) ?? Self.poolDaysNormal
    poolCustodian = try container.decodeIfPresent(String.self, forKey: .poolCustodian) ?? ""
    transferDays =
      try container.decodeIfPresent(Int.self, forKey: .transferDays) ?? Self.transferDaysNormal
    unitThreshold =
      try container.decodeIfPresent(Int.self, forKey: .unitThreshold) ?? Self.unitThresholdNormal
  }
}
