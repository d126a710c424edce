public import ServiceKit

/// Configuration of yijia-members; see `config.example.yaml`.
public struct MembersConfiguration: Codable, Sendable, Hashable {
  /// What every service has.
  public var service: ServiceConfiguration
  /// Records of one bulk stream that are worked on at a time; 1 to 1,000.
  public var enrollmentsInFlight: Int
  /// Rows of rosters that an organization's staff may compare on a day; 0 to 1,000,000,000.
  public var rosterRowsPerDay: Int
  /// Rules of regions that differ from the usual ones.
  public var regions: [RegionSetting]
  /// What stands before a code's text in its link, for example `https://yijia.example/c/`; empty
  /// for no links. Ends in `/` or `=`; 200 characters at most.
  public var codeLink: String

  enum CodingKeys: String, CodingKey {
    case service
    case codeLink = "code_link"
    case enrollmentsInFlight = "enrollments_in_flight"
    case rosterRowsPerDay = "roster_rows_per_day"
    case regions
  }

  /// The defaults.
  public init() {
    service = ServiceConfiguration(name: "members", port: 7101)
    enrollmentsInFlight = 256
    rosterRowsPerDay = 2_000_000
    regions = []
    codeLink = ""
  }

  /// - Throws: ``ConfigurationError`` naming every field out of its limits.
  public func validate() throws {
    try service.validate()
    var wrong: [String] = []
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
    guard wrong.isEmpty else { throw ConfigurationError(wrong.joined(separator: "; ")) }
  }

  private static func isLinkPrefix(_ text: String) -> Bool {
    (text.hasPrefix("https://") || text.hasPrefix("http://"))
      && (text.hasSuffix("/") || text.hasSuffix("=")) && text.utf8.count <= 200
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}

/// How a region routes, where it differs from the usual; the narrowest stated region counts.
public struct RegionSetting: Codable, Sendable, Hashable {
  /// GB/T 2260 code of a county, city or province; 6 digits.
  public var regionCode: String
  /// Everybody goes to the holding pool first (Bengbu, Shenyang).
  public var poolFirst: Bool
  /// Who would go to the pool waits for approval instead of being a member at once (Bengbu).
  public var approveFirst: Bool
  /// The federation of new forms of employment of the county or city takes the place of the village
  /// and township unions (Henan).
  public var newFormFederation: Bool
  /// Days that a case of the region's holding pools may take before it goes one level up; 1 to 365.
  public var poolDays: Int
  /// External id of the organization that sees to the region's holding pools; empty for the one
  /// above each pool.
  public var poolCustodian: String

  /// Days that the receiver of a transfer has to decide, and then the level above it; 1 to 180.
  public var transferDays: Int

  /// Half a month each: the papers name no figure.
  static let poolDaysNormal = 15
  static let transferDaysNormal = 15

  /// Members of one unit in a township who are enough for a union of their own; 2 to 100,000.
  public var unitThreshold: Int

  /// Trade Union Law, art. 11.
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

  /// A region; by the usual rules, but for what is named.
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

  /// What an entry does not state is by the usual rules.
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
