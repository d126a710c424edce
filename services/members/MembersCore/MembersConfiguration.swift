public import ServiceKit

/// Configuration of yijia-members; see `config.example.yaml`.
public struct MembersConfiguration: CheckedConfiguration, Hashable {
  /// The settings common to all services.
  public var service: ServiceConfiguration
  /// The maximum number of records of one bulk stream in progress; 1 to 1,000.
  public var enrollmentsInFlight: Int
  /// The maximum number of roster rows that an organization's staff may compare per day; 0 to
  /// 1,000,000,000.
  public var rosterRowsPerDay: Int
  /// The initial settings of regions that differ from the defaults; the store's are not changed.
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

  public func faults() -> [String] {
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
      for (field, range, value) in region.numbers where !range.contains(value) {
        wrong.append("regions[\(index)].\(field): \(range.lowerBound) to \(range.upperBound)")
      }
      wrong += RoutingRule.faults(of: region.rules).map { "regions[\(index)].rules: \($0.en)" }
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
