public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Ends the membership of a deceased member.
  public func recordDeath(
    _ request: RecordDeathRequest, context: ServerContext
  ) async throws -> RecordDeathResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.name, etag: request.etag,
      reason: request.reason, payload: payload, at: clock.now, &checks)
    try checks.check()
    return try await write(order, action: "members.recordDeath") { facts, commit in
      var response = RecordDeathResponse()
      response.membership = try commit.end(facts, .die, by: order.act).summary
      return response
    }
  }
}
