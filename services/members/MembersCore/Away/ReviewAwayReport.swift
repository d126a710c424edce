public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Files a report or sends it back, at the township or above; the reporter can't review it.
  public func reviewAwayReport(
    _ request: ReviewAwayReportRequest, context: ServerContext
  ) async throws -> ReviewAwayReportResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    var order = try AwayOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    order.note =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          request.note, field: "note", characters: (request.sendBack ? 4 : 0)...200)
      } ?? ""
    try checks.check()
    let reviewer = order.caller.subject
    let report = try await change(
      order, request.sendBack ? .sendBack : .file, context, atLeast: .township
    ) { report, _ in
      guard report.reporter != reviewer else { throw MembersError.ownReport }
      report.reviewer = reviewer
    }
    return .with { $0.report = report }
  }
}
