public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records the result of the phone check of a drawn report, at the county or above; whoever
  /// recorded or reviewed the report can't check it.
  public func recordAwayCheck(
    _ request: RecordAwayCheckRequest, context: ServerContext
  ) async throws -> RecordAwayCheckResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try AwayOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      payload: payload, at: clock.now, &checks)
    switch request.result {
    case .unspecified: checks.add([.required("result")])
    case .unrecognized: checks.add([.invalidValue("result")])
    default: break
    }
    try checks.check()
    let (result, checker) = (request.result, order.caller.subject)
    let report = try await change(order, .check, context, atLeast: .county) { report, _ in
      guard report.sample != nil else { throw MembersError.awayState }
      guard ![report.reporter, report.reviewer].contains(checker) else {
        throw MembersError.ownReport
      }
      report.check = result
    }
    return .with { $0.report = report }
  }
}
