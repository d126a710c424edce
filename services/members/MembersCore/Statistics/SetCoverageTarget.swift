import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Sets the share of a base to be organized.
  public func setCoverageTarget(
    _ request: SetCoverageTargetRequest, context: ServerContext
  ) async throws -> SetCoverageTargetResponse {
    let raw = request.target ?? CoverageTarget()
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let organizationID = checks.resource(
      raw.organization, of: "organizations", "target.organization")
    if case .unrecognized = raw.group { checks.add([.invalidValue("target.group")]) }
    if !(1...Int32(Coverage.whole)).contains(raw.basisPoints) {
      checks.add(
        "target.basis_points", "OUT_OF_RANGE",
        LocalizedText(
          zh: "目标应为 1 至 10000（万分之一）。", en: "must be 1 to 10,000."))
    }
    let dueDay = checks.day(raw.dueDate, "target.due_date")
    try checks.check()
    var payload = request
    payload.requestID = ""
    var response = SetCoverageTargetResponse()
    response.target = try CoverageTarget(
      wireBytes: try await setCoverage(
        of: organizationID ?? "", raw.group, action: "coverage.setTarget", requestID ?? "",
        payload: try payload.wireBytes(), at: clock.now, context
      ) { target, newest, commit in
        target.basisPoints = raw.basisPoints
        target.dueDay = dueDay
        commit.emit(try .changed(target, newest: newest))
        return try (target.message ?? CoverageTarget()).wireBytes()
      })
    return response
  }
}
