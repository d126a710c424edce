import GoogleType
import Protobuf
public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Rows per response: a province's points for a day, or a point for 27 years.
  private static let statisticsRowsMax = 10_000

  /// Returns the daily counters of a point, or of every point in the caller's subtree.
  public func getDailyVisitStatistics(
    _ request: GetDailyVisitStatisticsRequest, context: ServerContext
  ) async throws -> GetDailyVisitStatisticsResponse {
    let caller = try context.caller
    let scope = caller.scope
    guard scope != .nothing else { throw CommonFailure.outOfScope }
    var checks = FieldChecks()
    let pointID =
      request.point.isEmpty
      ? nil
      : checks.resource(request.point, of: "points", "point")
    let today = Int64(ChinaDate(microseconds: clock.microseconds).daysSinceEpoch)
    let first = checks.day(request.startDate, "start_date") ?? 0
    let last = checks.day(request.endDate, "end_date") ?? max(today, first)
    checks.require(
      first <= last, "end_date", "BEFORE_START", zh: "不能早于开始日期。",
      en: "must not be before start_date.")
    try checks.finish()
    if let pointID { _ = try await point(pointID, for: caller) }

    let days = try await database.read(
      StatisticsStore.days(
        scope: scope, point: pointID, from: first, through: last,
        limit: Self.statisticsRowsMax + 1))
    guard days.count <= Self.statisticsRowsMax else {
      throw StationsError.tooManyRows(limit: Self.statisticsRowsMax)
    }
    var response = GetDailyVisitStatisticsResponse()
    response.days = days.map(Self.message)
    return response
  }

  private static func message(_ day: StatisticsStore.PointDay) -> DailyVisits {
    let date = ChinaDate(daysSinceEpoch: Int(day.day))
    let civil = GoogleType.Date.with {
      $0.year = Int32(date.year)
      $0.month = Int32(date.month)
      $0.day = Int32(date.day)
    }
    var visits = DailyVisits()
    visits.point = "points/\(day.point)"
    visits.displayName = day.displayName
    visits.date = civil
    visits.visits = day.count.matched + day.count.unmatched + day.count.anonymous
    visits.matched = day.count.matched
    visits.unmatched = day.count.unmatched
    visits.anonymous = day.count.anonymous
    visits.uniqueMembers = day.count.uniqueMembers
    visits.setAside = day.count.setAside
    return visits
  }
}
