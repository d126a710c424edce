public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Corrects a report that was sent back.
  public func fixAwayReport(
    _ request: FixAwayReportRequest, context: ServerContext
  ) async throws -> FixAwayReportResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try AwayOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    let plan = AwayPlan(
      departure: request.departureDate, return: request.returnDate, details: request.details,
      today: order.today, &checks)
    try checks.check()
    let reporter = order.caller.subject
    let report = try await change(order, .fix, context) { report, key in
      try plan.checkDeparture()
      report.reporter = reporter
      report.departureDay = plan.departureDay
      report.returnDay = plan.returnDay
      report.details = try plan.sealed(key)
    }
    return .with { $0.report = report }
  }
}
