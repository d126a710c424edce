import GoogleType
public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Counts of one answer: a year by day and channel. More are for an export.
  static let statisticsRowsMax = 10_000

  /// Counts new members of a subtree by group, channel, campaign or day, out of counters.
  public func getEnrollmentStatistics(
    _ request: GetEnrollmentStatisticsRequest, context: ServerContext
  ) async throws -> GetEnrollmentStatisticsResponse {
    let today = ChinaDate(microseconds: clock.microseconds).daysSinceEpoch
    let dimensions = try CounterStore.Dimension.checked(request.dimensions)
    let days = try DayRange(start: request.startDate, end: request.endDate, today: today)
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
  /// GROUP and CHANNEL where none is asked for.
  ///
  /// - Throws: `FieldFailure` for what is no dimension.
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

/// The days that a count is about, in days since 1970-01-01; nil where the last is before the
/// first.
struct DayRange: Sendable {
  /// A year: more days are for an export.
  private static let splitDaysMax = 366

  let days: ClosedRange<Int>?

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every date that the calendar lacks.
  init(start: GoogleType.Date?, end: GoogleType.Date?, today: Int) throws {
    var checks = FieldChecks()
    let first = checks.day(start, "start_date") ?? 0
    let last = checks.day(end, "end_date") ?? today
    try checks.check()
    days = first <= last ? first...last : nil
  }

  /// - Throws: `FieldFailure` where there are too many days to answer each.
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
  /// A civil date in days since 1970-01-01; nil where there is none, or none in the calendar.
  mutating func day(_ date: GoogleType.Date?, _ field: String) -> Int? {
    guard let date else { return nil }
    if let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day)) {
      return day.daysSinceEpoch
    }
    add(
      field, "INVALID_DATE",
      LocalizedText(zh: "\(field) 不是有效日期。", en: "\(field) is no day of the calendar."))
    return nil
  }
}
