public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records the departure or the return of the member.
  public func trackAwayReport(
    _ request: TrackAwayReportRequest, context: ServerContext
  ) async throws -> TrackAwayReportResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try AwayOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    let day = checks.day(request.date, "date") ?? order.today
    if request.date == nil { checks.add([.required("date")]) }
    if day > order.today { checks.add([.inFuture("date")]) }
    try checks.check()
    let hasReturned = request.hasReturned
    let report = try await change(
      order, hasReturned ? .comeBack : .depart, context
    ) { report, _ in
      if hasReturned { report.returnDay = day } else { report.departureDay = day }
      guard report.departureDay <= report.returnDay else {
        throw FieldFailure(
          field: "date", reason: "OUT_OF_RANGE",
          text: LocalizedText(
            zh: "返回日期不能早于出发日期。", en: "Nobody is back before the departure."))
      }
    }
    return .with { $0.report = report }
  }
}
