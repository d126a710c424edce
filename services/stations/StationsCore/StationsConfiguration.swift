public import ServiceKit

/// The service's configuration: every field has a default, a unit and a limit.
public struct StationsConfiguration: Codable, Sendable, Hashable {
  /// What every service has.
  public var service: ServiceConfiguration
  /// How yijia-members is reached.
  public var members: ServiceAddress
  /// How long a call to yijia-members may delay a batch of visits, in milliseconds; 50 to 10,000.
  public var resolveTimeoutMilliseconds: Int
  /// How visits are judged.
  public var visits: VisitSettings

  enum CodingKeys: String, CodingKey {
    case service, members, visits
    case resolveTimeoutMilliseconds = "resolve_timeout_ms"
  }

  /// The defaults.
  public init() {
    service = ServiceConfiguration(name: "stations", port: 7_102)
    members = ServiceAddress(targets: ["127.0.0.1:7101"], identity: "spiffe://yijia/members")
    resolveTimeoutMilliseconds = 1_000
    visits = VisitSettings()
  }

  /// - Throws: `ConfigurationError` naming the fields out of their limits.
  public func validate() throws {
    try service.validate()
    var wrong = visits.faults.map { "visits.\($0)" }
    if members.targets.isEmpty { wrong.append("members.targets: at least one host:port") }
    if !(50...10_000).contains(resolveTimeoutMilliseconds) {
      wrong.append("resolve_timeout_ms: 50 to 10000")
    }
    guard wrong.isEmpty else { throw ConfigurationError(wrong.joined(separator: "; ")) }
  }
}

/// The clock limits of visits; all inclusive.
public struct VisitSettings: Codable, Sendable, Hashable {
  /// How far in the future a device time may be, in seconds; 0 to 86,400.
  public var futureMaxSeconds: Int
  /// How long ago a device time may be, in hours: as long as a kiosk may be offline; 1 to 8,784.
  public var ageMaxHours: Int
  /// How far from a visit's time the point may have been open, in seconds; 0 to 3,600.
  public var stateToleranceSeconds: Int
  /// Full months that visits are kept beside the current one, 0 to 1,200; 0 keeps all. The daily
  /// counts stay.
  public var keepMonths: Int
  /// How long a stay lasts without a departure, in minutes; 1 to 1,440.
  public var stayMaxMinutes: Int

  enum CodingKeys: String, CodingKey {
    case futureMaxSeconds = "future_max_seconds"
    case ageMaxHours = "age_max_hours"
    case stateToleranceSeconds = "state_tolerance_seconds"
    case stayMaxMinutes = "stay_max_minutes"
    case keepMonths = "keep_months"
  }

  public init() {
    futureMaxSeconds = 300
    ageMaxHours = 30 * 24
    stateToleranceSeconds = 5
    stayMaxMinutes = 240
    keepMonths = 0
  }

  /// The fields out of their limits.
  var faults: [String] {
    var wrong: [String] = []
    if !(0...86_400).contains(futureMaxSeconds) { wrong.append("future_max_seconds: 0 to 86400") }
    if !(1...8_784).contains(ageMaxHours) { wrong.append("age_max_hours: 1 to 8784") }
    if !(0...3_600).contains(stateToleranceSeconds) {
      wrong.append("state_tolerance_seconds: 0 to 3600")
    }
    if !(1...1_440).contains(stayMaxMinutes) { wrong.append("stay_max_minutes: 1 to 1440") }
    if !(0...1_200).contains(keepMonths) { wrong.append("keep_months: 0 to 1200") }
    // A month has 28 days at least: what is taken in must not be in a month that has gone.
    if keepMonths > 0, ageMaxHours > keepMonths * 28 * 24 {
      wrong.append("age_max_hours: no longer than keep_months, \(keepMonths * 28 * 24) at most")
    }
    return wrong
  }

  var monthsKept: Int? { keepMonths == 0 ? nil : keepMonths }

  var rules: VisitRules {
    VisitRules(
      futureMax: Int64(futureMaxSeconds) * 1_000_000,
      ageMax: Int64(ageMaxHours) * 3_600_000_000,
      stateTolerance: Int64(stateToleranceSeconds) * 1_000_000,
      stayMax: Int64(stayMaxMinutes) * 60_000_000)
  }
}
