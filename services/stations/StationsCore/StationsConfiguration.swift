public import ServiceKit

/// The service's configuration: every field has a default, a unit and a limit.
public struct StationsConfiguration: CheckedConfiguration, Hashable {
  /// The settings that every service has.
  public var service: ServiceConfiguration
  /// Address and identity of yijia-members.
  public var members: ServiceAddress
  /// How long a call to yijia-members may delay a batch of visits, in milliseconds; 50 to 10,000.
  public var resolveTimeoutMilliseconds: Int
  /// The rules by which visits are judged.
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

  public func faults() -> [String] {
    var wrong = service.faults().map { "service.\($0)" } + visits.faults().map { "visits.\($0)" }
    wrong += members.faults(at: "members", allowsPlaintext: false)
    if !(50...10_000).contains(resolveTimeoutMilliseconds) {
      wrong.append("resolve_timeout_ms: 50 to 10000")
    }
    return wrong
  }
}

/// The rules by which visits are judged; all limits are inclusive.
public struct VisitSettings: Codable, Sendable, Hashable {
  /// How far in the future a device time may lie, in seconds; 0 to 86,400.
  public var futureMaxSeconds: Int
  /// How old a device time may be, in hours: the longest time that a kiosk may be offline; 1 to
  /// 8,784.
  public var ageMaxHours: Int
  /// Tolerance around a visit's time within which the point must have been open, in seconds; 0 to
  /// 3,600.
  public var stateToleranceSeconds: Int
  /// Full months of visits to keep beside the current one, 0 to 1,200; 0 keeps all. Daily counters
  /// are kept in any case.
  public var keepMonths: Int
  /// Longest stay without a departure, in minutes; 1 to 1,440.
  public var stayMaxMinutes: Int

  enum CodingKeys: String, CodingKey {
    case futureMaxSeconds = "future_max_seconds"
    case ageMaxHours = "age_max_hours"
    case stateToleranceSeconds = "state_tolerance_seconds"
    case stayMaxMinutes = "stay_max_minutes"
    case keepMonths = "keep_months"
  }

  /// The defaults.
  public init() {
    futureMaxSeconds = 300
    ageMaxHours = 30 * 24
    stateToleranceSeconds = 5
    stayMaxMinutes = 240
    keepMonths = 0
  }

  /// The fields that are out of range.
  func faults() -> [String] {
    var wrong: [String] = []
    if !(0...86_400).contains(futureMaxSeconds) { wrong.append("future_max_seconds: 0 to 86400") }
    if !(1...8_784).contains(ageMaxHours) { wrong.append("age_max_hours: 1 to 8784") }
    if !(0...3_600).contains(stateToleranceSeconds) {
      wrong.append("state_tolerance_seconds: 0 to 3600")
    }
    if !(1...1_440).contains(stayMaxMinutes) { wrong.append("stay_max_minutes: 1 to 1440") }
    if !(0...1_200).contains(keepMonths) { wrong.append("keep_months: 0 to 1200") }
    // A month has at least 28 days: a visit must not be accepted into a month that was dropped.
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
