import GoogleType
public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Counts new members of a subtree by group and channel, out of counters.
  public func getEnrollmentStatistics(
    _ request: GetEnrollmentStatisticsRequest, context: ServerContext
  ) async throws -> GetEnrollmentStatisticsResponse {
    let today = ChinaDate(microseconds: clock.microseconds).daysSinceEpoch
    let days = try DayRange(start: request.startDate, end: request.endDate, today: today)
    let range = try await subtree(of: request.ancestor, for: try context.caller)
    var response = GetEnrollmentStatisticsResponse()
    let members = try await database.read(CounterStore.members(of: range))
    response.liveMembers = members[.pooled, default: 0] + members[.active, default: 0]
    response.retainedMembers = members[.retained, default: 0]
    guard let days = days.days else { return response }
    response.counts = try await database.read(CounterStore.enrollments(of: range, days: days))
      .map { row in
        var count = EnrollmentCount()
        count.group = row.group
        count.channel = row.channel
        count.members = row.members
        return count
      }
    return response
  }
}

/// The days that a count is about, in days since 1970-01-01; nil where the last is before the
/// first.
struct DayRange: Sendable {
  let days: ClosedRange<Int>?

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every date that the calendar lacks.
  init(start: GoogleType.Date?, end: GoogleType.Date?, today: Int) throws {
    var failures: [FieldFailure] = []
    let first = Self.day(start, "start_date", &failures) ?? 0
    let last = Self.day(end, "end_date", &failures) ?? today
    guard failures.isEmpty else { throw CommonFailure.invalidFields(failures) }
    days = first <= last ? first...last : nil
  }

  private static func day(
    _ date: GoogleType.Date?, _ field: String, _ failures: inout [FieldFailure]
  ) -> Int? {
    guard let date else { return nil }
    if let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day)) {
      return day.daysSinceEpoch
    }
    failures.append(
      FieldFailure(
        field: field, reason: "INVALID_DATE",
        text: LocalizedText(
          zh: "\(field) 不是有效日期。", en: "\(field) is no day of the calendar.")))
    return nil
  }
}
