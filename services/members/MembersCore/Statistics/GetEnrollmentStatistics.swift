import GoogleType
public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The maximum number of counts per reply: a year by day and channel. Larger results require an
  /// export.
  static let statisticsRowsMax = 10_000

  /// Returns the new members of a subtree by group, channel, campaign or day, from counters.
  public func getEnrollmentStatistics(
    _ request: GetEnrollmentStatisticsRequest, context: ServerContext
  ) async throws -> GetEnrollmentStatisticsResponse {
    let today = ChinaDate(microseconds: clock.microseconds).daysSinceEpoch
    let dimensions = try CounterStore.Dimension.checked(request.dimensions)
    let days = try DayRange(
      start: request.startDate, end: request.endDate, today: today,
      standard: dimensions.contains(.day) ? DayRange.splitDaysNormal : nil)
    if dimensions.contains(.day) { try days.checkSplit() }
    let range = try await subtree(of: request.ancestor, for: try context.caller)
    var response = GetEnrollmentStatisticsResponse()
    let members = try await database.read(CounterStore.members(of: range))
    response.liveMembers = members[.pooled, default: 0] + members[.active, default: 0]
    response.retainedMembers = members[.retained, default: 0]
    guard let days = days.days else { return response }
    let rows = try await database.read(
      CounterStore.enrollments(
        of: range, days: days, by: dimensions, limit: Self.statisticsRowsMax + 1))
    guard rows.count <= Self.statisticsRowsMax else { throw MembersError.tooManyRows }
    response.counts = rows.map { row in
      var count = EnrollmentCount()
      count.group = row.group
      count.channel = row.channel
      count.members = row.members
      count.campaign = row.campaign
      if dimensions.contains(.day) { count.date = .day(row.day) }
      return count
    }
    return response
  }
}

extension CounterStore.Dimension {
  /// Returns the requested dimensions; GROUP and CHANNEL if there are none.
  ///
  /// - Throws: `FieldFailure` for an invalid dimension.
  fileprivate static func checked(
    _ asked: [StatisticsDimension]
  ) throws(FieldFailure) -> [CounterStore.Dimension] {
    guard !asked.isEmpty else { return [.group, .channel] }
    var found: Set<CounterStore.Dimension> = []
    for (index, dimension) in asked.enumerated() {
      switch dimension {
      case .group: found.insert(.group)
      case .channel: found.insert(.channel)
      case .campaign: found.insert(.campaign)
      case .day: found.insert(.day)
      case .unspecified, .unrecognized: throw .invalidValue("dimensions[\(index)]")
      }
    }
    return allCases.filter(found.contains)
  }
}

/// A range of days in days since 1970-01-01; `nil` if it ends before it starts.
struct DayRange: Sendable {
  /// The maximum number of days of a daily reply: a year. Longer ranges require an export.
  private static let splitDaysMax = 366
  /// The number of days of a daily reply without a first day.
  static let splitDaysNormal = 30

  let days: ClosedRange<Int>?

  /// - Parameter standard: The number of days without a first day; `nil` for no limit.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid date.
  init(
    start: GoogleType.Date?, end: GoogleType.Date?, today: Int, standard: Int? = nil
  ) throws {
    var checks = FieldChecks()
    let last = checks.day(end, "end_date") ?? today
    let first = checks.day(start, "start_date") ?? standard.map { last - $0 + 1 } ?? 0
    try checks.check()
    days = first <= last ? first...last : nil
  }

  /// - Throws: `FieldFailure` if there are too many days for daily counts.
  func checkSplit() throws(FieldFailure) {
    guard (days?.count ?? 0) > Self.splitDaysMax else { return }
    throw FieldFailure(
      field: "start_date", reason: "OUT_OF_RANGE",
      text: LocalizedText(
        zh: "按日统计最多 \(Self.splitDaysMax) 天。",
        en: "By day: at most \(Self.splitDaysMax) days."))
  }
}

extension FieldChecks {
  /// Returns a civil date in days since 1970-01-01; `nil` if it is missing or invalid.
  mutating func day(_ date: GoogleType.Date?, _ field: String) -> Int? {
    guard let date else { return nil }
    if let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day)) {
      return day.daysSinceEpoch
    }
    add(
      field, "INVALID_DATE",
      LocalizedText(zh: "不是有效日期。", en: "is not a day of the calendar."))
    return nil
  }
}
